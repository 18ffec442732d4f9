//! Values over time: what is where. Places across go from 0 to 1.

use domain::series::MetricUnit;
use engine::usual_range::UsualRange;

use super::Role;

/// Lines, or areas on top of one another, with what happened on the way.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lines {
    /// The moments, from left to right.
    pub(crate) moments: Vec<Moment>,
    /// The first is drawn in front and stands at the bottom of a stack.
    pub(crate) series: Vec<LineSeries>,
    /// The series stand on top of one another.
    pub(crate) is_stacked: bool,
    /// What the values are.
    pub(crate) unit: MetricUnit,
    /// What happened, from left to right.
    pub(crate) markers: Vec<Marker>,
    /// Texts below the axis, each with its place.
    pub(crate) ticks: Vec<(f64, String)>,
    /// The last moment goes on: its sums still grow, and what leads to it is drawn as unfinished.
    pub(crate) is_last_unfinished: bool,
}

/// A moment for which there may be values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Moment {
    /// Its place.
    pub(crate) at: f64,
    /// In the tooltip and the table: `Thu 12 Nov`.
    pub(crate) title: String,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LineSeries {
    pub(crate) name: String,
    pub(crate) role: Role,
    /// One for each moment; `None` is unknown and not drawn.
    pub(crate) values: Vec<Option<f64>>,
    /// Between what each value usually lies: a band behind the lines. Empty without any.
    pub(crate) usual: Vec<Option<UsualRange>>,
    /// Where its name at the end of the line leads.
    pub(crate) href: Option<String>,
}

/// Something that happened: a plumb line with a bob in the lane below the axis.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Marker {
    /// Its place.
    pub(crate) at: f64,
    /// Beside the bob, where there is room: `3 deploys`.
    pub(crate) label: String,
    /// All of it: `PR 2 “switch the model”, 12 Nov 14:12`.
    pub(crate) title: String,
    /// Where a click leads.
    pub(crate) href: String,
    /// It is named in the page's sentence.
    pub(crate) is_named: bool,
}

/// Points beside each other, without a gap between them.
type Stretch = Vec<(f64, f64)>;

impl Lines {
    /// Where the values stand: as they are, or each on top of those before it.
    pub(super) fn heights(&self) -> Vec<Vec<Option<f64>>> {
        if !self.is_stacked {
            return self.series.iter().map(|series| series.values.clone()).collect();
        }
        let mut below = vec![0.0; self.moments.len()];
        let mut heights = Vec::with_capacity(self.series.len());
        for series in &self.series {
            for (sum, value) in below.iter_mut().zip(&series.values) {
                *sum += value.unwrap_or(0.0).max(0.0);
            }
            heights.push(below.iter().copied().map(Some).collect());
        }
        heights
    }

    /// The same of one moment.
    pub(super) fn heights_at(&self, index: usize) -> Vec<Option<f64>> {
        let mut below = 0.0;
        let values = self
            .series
            .iter()
            .map(|series| series.values.get(index).copied().flatten());
        values
            .map(|value| {
                if !self.is_stacked {
                    return value;
                }
                below += value.unwrap_or(0.0).max(0.0);
                Some(below)
            })
            .collect()
    }

    /// The highest of all, bands included.
    pub(super) fn highest(&self) -> f64 {
        let bands = self.series.iter().filter(|_| !self.is_stacked);
        let bands = bands.flat_map(|series| series.usual.iter().flatten().map(|usual| usual.high));
        let heights = self.heights();
        let lines = heights.iter().flatten().flatten().copied();
        lines.chain(bands).fold(0.0, f64::max)
    }

    /// The corners of the bands of all series, each in stretches without a gap. Bands lie behind lines, not in stacks.
    pub(super) fn bands(&self) -> Vec<Vec<(f64, f64)>> {
        if self.is_stacked {
            return Vec::new();
        }
        let mut bands = Vec::new();
        for series in &self.series {
            let ends = |end: fn(&UsualRange) -> f64| -> Vec<Option<f64>> {
                series.usual.iter().map(|usual| usual.as_ref().map(end)).collect()
            };
            let highs = self.stretches(&ends(|usual| usual.high));
            let lows = self.stretches(&ends(|usual| usual.low));
            for (mut corners, low) in highs.into_iter().zip(lows) {
                corners.extend(low.into_iter().rev());
                bands.push(self.widened(corners));
            }
        }
        bands
    }

    /// A band of one moment alone is as wide as that moment.
    fn widened(&self, corners: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
        let [(at, high), (_, low)] = corners[..] else {
            return corners;
        };
        let half = 0.5 / self.moments.len().max(1) as f64;
        let (from, to) = ((at - half).max(0.0), (at + half).min(1.0));
        vec![(from, high), (to, high), (to, low), (from, low)]
    }

    /// Between what the value of a moment usually lies: `usually $3.90 to $4.50`.
    pub(super) fn usual_in_words(&self, series: &LineSeries, index: usize) -> Option<String> {
        let usual = series.usual.get(index).copied().flatten()?;
        let text = |value: f64| engine::series::text(value, self.unit);
        Some(format!("usually {} to {}", text(usual.low), text(usual.high)))
    }

    /// The points of one series, in stretches without a gap.
    pub(super) fn stretches(&self, heights: &[Option<f64>]) -> Vec<Stretch> {
        let mut stretches = vec![Vec::new()];
        for (moment, height) in self.moments.iter().zip(heights) {
            match (height, stretches.last_mut()) {
                (Some(height), Some(stretch)) => stretch.push((moment.at, *height)),
                _ => stretches.push(Vec::new()),
            }
        }
        stretches.retain(|stretch| !stretch.is_empty());
        stretches
    }

    /// A stretch as far as it is finished, and the rest of it, which begins where the other ends.
    pub(super) fn parted(&self, mut stretch: Stretch) -> (Stretch, Stretch) {
        let last = self.moments.last().map(|moment| moment.at);
        let is_last = stretch.last().map(|point| point.0) == last;
        if !(self.is_last_unfinished && is_last) {
            return (stretch, Vec::new());
        }
        let unfinished = stretch.split_off(stretch.len().saturating_sub(2));
        stretch.extend(unfinished.first().filter(|_| unfinished.len() > 1));
        (stretch, unfinished)
    }

    /// How many moments are finished.
    pub(super) fn finished(&self) -> usize {
        self.moments.len() - usize::from(self.is_last_unfinished && !self.moments.is_empty())
    }

    /// The corners of the areas of one series of a stack between some moments. One moment alone is as wide as a moment
    /// is.
    pub(super) fn areas(
        &self,
        heights: &[Vec<Option<f64>>],
        index: usize,
        between: std::ops::Range<usize>,
    ) -> Vec<Vec<(f64, f64)>> {
        let zero = vec![Some(0.0); self.moments.len()];
        let below = match index.checked_sub(1).and_then(|before| heights.get(before)) {
            Some(below) => below,
            None => &zero,
        };
        let Some(above) = heights.get(index) else {
            return Vec::new();
        };
        if let [moment] = &self.moments[..] {
            let (Some(Some(low)), Some(Some(high))) = (below.first(), above.first()) else {
                return Vec::new();
            };
            let (from, to) = ((moment.at - 0.02).max(0.0), (moment.at + 0.02).min(1.0));
            return vec![vec![(from, *low), (from, *high), (to, *high), (to, *low)]];
        }
        let edge = |heights: &[Option<f64>]| -> Vec<(f64, f64)> {
            let points = self.moments.iter().zip(heights);
            points
                .take(between.end)
                .skip(between.start)
                .filter_map(|(moment, height)| Some((moment.at, (*height)?)))
                .collect()
        };
        let mut corners = edge(above);
        corners.extend(edge(below).into_iter().rev());
        vec![corners]
    }

    /// The moment nearest to a place.
    #[cfg(any(target_arch = "wasm32", test))]
    pub(super) fn nearest(&self, across: f64) -> Option<usize> {
        self.moments
            .iter()
            .enumerate()
            .min_by(|(_, a), (_, b)| (a.at - across).abs().total_cmp(&(b.at - across).abs()))
            .map(|(index, _)| index)
    }

    /// All of a moment in words, for who does not see it: `12 Nov: prod $18.53, tools $2.89`.
    pub(super) fn in_words(&self, index: usize) -> String {
        let Some(moment) = self.moments.get(index) else {
            return String::new();
        };
        let values: Vec<String> = self
            .series
            .iter()
            .filter_map(|series| {
                let value = series.values.get(index).copied().flatten()?;
                let value = engine::series::text(value, self.unit);
                let usual = self.usual_in_words(series, index).filter(|_| !self.is_stacked);
                let usual = usual.map_or_else(String::new, |usual| format!(", {usual}"));
                Some(format!("{} {value}{usual}", series.name))
            })
            .collect();
        if values.is_empty() {
            format!("{}: nothing", moment.title)
        } else {
            format!("{}: {}", moment.title, values.join(", "))
        }
    }
}

/// Markers that would touch become one. `label` names several: how many there are, and the title of all of them.
pub(crate) fn group_markers(
    mut markers: Vec<Marker>,
    together: impl Fn(usize) -> String,
    href: impl Fn(&[Marker]) -> String,
) -> Vec<Marker> {
    /// Nearer than this two bobs touch on the narrowest page.
    const APART: f64 = 0.025;
    markers.sort_by(|a, b| a.at.total_cmp(&b.at));
    let mut groups: Vec<Vec<Marker>> = Vec::new();
    for marker in markers {
        match groups.last_mut() {
            Some(group) if group.last().is_some_and(|last| marker.at - last.at < APART) => group.push(marker),
            _ => groups.push(vec![marker]),
        }
    }
    groups
        .into_iter()
        .map(|mut group| {
            if group.len() == 1 {
                return group.remove(0);
            }
            let titles: Vec<&str> = group.iter().map(|marker| marker.title.as_str()).collect();
            let named = group.iter().find(|marker| marker.is_named);
            let middle = group.iter().map(|marker| marker.at).sum::<f64>() / group.len() as f64;
            Marker {
                at: named.map_or(middle, |marker| marker.at),
                label: together(group.len()),
                title: titles.join("; "),
                href: href(&group),
                is_named: named.is_some(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(values: &[&[Option<f64>]], is_stacked: bool) -> Lines {
        let count = values.first().map_or(0, |values| values.len());
        Lines {
            moments: (0..count)
                .map(|index| Moment {
                    at: (index as f64 + 0.5) / count as f64,
                    title: format!("{index} Nov"),
                })
                .collect(),
            series: values
                .iter()
                .enumerate()
                .map(|(index, values)| LineSeries {
                    name: format!("key-{index}"),
                    role: Role::series(index),
                    values: values.to_vec(),
                    usual: Vec::new(),
                    href: None,
                })
                .collect(),
            is_stacked,
            unit: MetricUnit::Calls,
            markers: Vec::new(),
            ticks: Vec::new(),
            is_last_unfinished: false,
        }
    }

    #[test]
    fn a_gap_is_not_a_zero() {
        let chart = lines(&[&[Some(1.0), Some(2.0), None, Some(4.0)]], false);
        let stretches = chart.stretches(&chart.series[0].values);
        assert_eq!(stretches, [vec![(0.125, 1.0), (0.375, 2.0)], vec![(0.875, 4.0)]]);
    }

    #[test]
    fn a_stack_is_as_high_as_its_parts() {
        let chart = lines(&[&[Some(1.0), Some(2.0)], &[Some(3.0), None]], true);
        assert_eq!(chart.highest(), 4.0);
        assert_eq!(chart.heights_at(0), [Some(1.0), Some(4.0)]);
        let heights = chart.heights();
        assert_eq!(
            chart.areas(&heights, 1, 0..2),
            [vec![(0.25, 4.0), (0.75, 2.0), (0.75, 2.0), (0.25, 1.0)]]
        );
        assert_eq!(
            lines(&[&[Some(1.0), Some(2.0)], &[Some(3.0), None]], false).highest(),
            3.0
        );
    }

    #[test]
    fn what_still_grows_is_parted_from_what_is_finished() {
        let mut chart = lines(&[&[Some(4.0), Some(4.0), Some(1.0)]], false);
        let points = chart.stretches(&chart.series[0].values).remove(0);
        let [first, second, third] = points[..] else {
            panic!("three points");
        };
        assert_eq!(chart.parted(points.clone()), (points.clone(), vec![]));
        chart.is_last_unfinished = true;
        assert_eq!(chart.parted(points), (vec![first, second], vec![second, third]));
        // A line that ended before is finished, and one that only begins is not.
        assert_eq!(chart.parted(vec![first, second]), (vec![first, second], vec![]));
        assert_eq!(chart.parted(vec![third]), (vec![], vec![third]));
        assert_eq!(chart.parted(vec![]), (vec![], vec![]));
        chart.is_stacked = true;
        assert_eq!(chart.areas(&chart.heights(), 0, 0..chart.finished())[0].len(), 4);
    }

    #[test]
    fn one_moment_and_none_can_be_drawn() {
        let one = lines(&[&[Some(5.0)]], true);
        assert_eq!(one.areas(&one.heights(), 0, 0..1)[0].len(), 4);
        assert_eq!(one.nearest(0.0), Some(0));
        let none = lines(&[], false);
        assert_eq!((none.highest(), none.nearest(0.3)), (0.0, None));
    }

    #[test]
    fn the_nearest_moment_is_meant_and_said() {
        let chart = lines(&[&[Some(1.0), None], &[Some(1_200.0), None]], false);
        assert_eq!(chart.nearest(0.4), Some(0));
        assert_eq!(chart.nearest(0.9), Some(1));
        assert_eq!(chart.in_words(0), "0 Nov: key-0 1, key-1 1,200");
        assert_eq!(chart.in_words(1), "1 Nov: nothing");
    }

    #[test]
    fn a_band_lies_behind_lines_and_is_said() {
        let usual = |low, high| Some(UsualRange { low, high });
        let mut chart = lines(&[&[Some(5.0), Some(9.0), Some(1.0), Some(1.0)]], false);
        chart.series[0].usual = vec![usual(4.0, 6.0), usual(4.0, 12.0), None, usual(1.0, 2.0)];
        assert_eq!(chart.highest(), 12.0);
        assert_eq!(
            chart.bands(),
            [
                vec![(0.125, 6.0), (0.375, 12.0), (0.375, 4.0), (0.125, 4.0)],
                vec![(0.75, 2.0), (1.0, 2.0), (1.0, 1.0), (0.75, 1.0)],
            ]
        );
        assert_eq!(chart.in_words(0), "0 Nov: key-0 5, usually 4 to 6");
        assert_eq!(chart.in_words(2), "2 Nov: key-0 1");
        chart.is_stacked = true;
        assert_eq!((chart.bands(), chart.highest()), (Vec::new(), 9.0));
    }

    #[test]
    fn markers_that_would_touch_are_one() {
        let marker = |at: f64, name: &str, is_named: bool| Marker {
            at,
            label: name.to_owned(),
            title: format!("{name} shipped"),
            href: format!("/{name}"),
            is_named,
        };
        let grouped = group_markers(
            vec![
                marker(0.72, "PR 2", true),
                marker(0.71, "PR 1", false),
                marker(0.1, "PR 0", false),
            ],
            |n| format!("{n} deploys"),
            |group| format!("/group-of-{}", group.len()),
        );
        let labels: Vec<_> = grouped
            .iter()
            .map(|m| (m.label.as_str(), m.at, m.is_named))
            .collect();
        assert_eq!(labels, [("PR 0", 0.1, false), ("2 deploys", 0.72, true)]);
        assert_eq!(grouped[1].title, "PR 1 shipped; PR 2 shipped");
        // Two hundred in a week stay a handful.
        let week = (0..200)
            .map(|n| marker(f64::from(n) / 200.0, "PR", false))
            .collect();
        assert_eq!(group_markers(week, |n| n.to_string(), |_| String::new()).len(), 1);
    }
}

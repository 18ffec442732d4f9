//! What rose most, since when, and with which prompt template.

use domain::anomaly::{CellCount, CodePrecision, TemplateCount};

/// The fewest conditions more than before that are worth a sentence.
const MIN_RISE: i64 = 3;
/// The fewest verdicts that say anything about a code.
const MIN_VERDICTS: i64 = 5;

/// Whether people say that a code is mostly noise.
pub(crate) fn is_noise(code: u16, precision: &[CodePrecision]) -> bool {
    precision
        .iter()
        .any(|p| p.code == code && p.n() >= MIN_VERDICTS && p.real * 2 < p.n())
}

fn rose(cell: &CellCount) -> i64 {
    cell.now - cell.before
}

/// Whether it is worth a sentence: more by a few, and by half of what there was.
fn is_rise(cell: &CellCount) -> bool {
    rose(cell) >= MIN_RISE && rose(cell) * 2 >= cell.before
}

/// The code and step that rose most and that people do not call noise.
pub(crate) fn steepest<'a>(cells: &'a [CellCount], precision: &[CodePrecision]) -> Option<&'a CellCount> {
    cells
        .iter()
        .filter(|cell| is_rise(cell) && !is_noise(cell.code, precision))
        .max_by_key(|cell| (rose(cell), std::cmp::Reverse(cell.code)))
}

/// The code and step that rose most among what people call noise.
pub(crate) fn steepest_noise<'a>(
    cells: &'a [CellCount],
    precision: &[CodePrecision],
) -> Option<&'a CellCount> {
    cells
        .iter()
        .filter(|cell| is_rise(cell) && is_noise(cell.code, precision))
        .max_by_key(|cell| (rose(cell), std::cmp::Reverse(cell.code)))
}

/// Since when something is as frequent as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Onset {
    /// The first bucket that has it at all, or that of the higher level.
    pub(crate) bucket: usize,
    /// Whether there was none before.
    pub(crate) is_first: bool,
    /// The template that most of it came with, if that template came with it.
    pub(crate) template: Option<String>,
}

/// Since when there is something that the first half of the buckets had none of; else where its level changed.
pub(crate) fn onset(counts: &[TemplateCount], buckets: usize) -> Option<Onset> {
    let mut per_bucket = vec![0_i64; buckets];
    for count in counts {
        if let Some(sum) = per_bucket.get_mut(count.bucket as usize) {
            *sum += count.count;
        }
    }
    let first = per_bucket.iter().position(|count| *count > 0)?;
    let is_first = first >= buckets / 2;
    let bucket = if is_first { first } else { change(&per_bucket)? };
    Some(Onset {
        bucket,
        is_first,
        template: new_template(counts, bucket),
    })
}

/// Where the level changed, if it did: the split with the largest difference of means, weighed by how much lies on
/// both sides (Page's change point). The level has to double at least.
fn change(per_bucket: &[i64]) -> Option<usize> {
    let mean = |values: &[i64]| values.iter().sum::<i64>() as f64 / values.len().max(1) as f64;
    let steepest = (1..per_bucket.len())
        .map(|at| {
            let (before, after) = per_bucket.split_at(at);
            let weight = ((before.len() * after.len()) as f64).sqrt();
            (
                at,
                (mean(after) - mean(before)) * weight,
                mean(before),
                mean(after),
            )
        })
        .filter(|(_, _, before, after)| *after > 0.0 && *after >= before * 2.0)
        .max_by(|a, b| a.1.total_cmp(&b.1))?;
    Some(steepest.0)
}

/// The template behind most conditions from `onset` on, if no step had it before and steps had another one.
fn new_template(counts: &[TemplateCount], onset: usize) -> Option<String> {
    let after = |count: &&TemplateCount| count.bucket as usize >= onset;
    let total: i64 = counts.iter().filter(after).map(|count| count.count).sum();
    let of = |template: &str| -> i64 {
        counts
            .iter()
            .filter(after)
            .filter(|count| count.template.as_deref() == Some(template))
            .map(|count| count.count)
            .sum()
    };
    let template = counts
        .iter()
        .filter(after)
        .filter_map(|count| count.template.as_deref())
        .max_by_key(|template| of(template))?;
    let before = || {
        counts
            .iter()
            .filter(|count| (count.bucket as usize) < onset && count.steps > 0)
    };
    let is_new =
        before().next().is_some() && before().all(|count| count.template.as_deref() != Some(template));
    (is_new && of(template) * 2 > total).then(|| template.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(code: u16, now: i64, before: i64) -> CellCount {
        CellCount {
            code,
            step: "s".to_owned(),
            now,
            before,
        }
    }

    #[test]
    fn noise_does_not_make_the_headline() {
        let precision = [CodePrecision {
            code: 4001,
            real: 9,
            noise: 21,
        }];
        let check = |cells: &[CellCount], real: Option<u16>, noise: Option<u16>| {
            assert_eq!(steepest(cells, &precision).map(|c| c.code), real);
            assert_eq!(steepest_noise(cells, &precision).map(|c| c.code), noise);
        };
        check(&[cell(2001, 31, 2), cell(4001, 61, 3)], Some(2001), Some(4001));
        check(&[cell(2001, 4, 2)], None, None);
        check(&[cell(2001, 110, 100)], None, None);
        check(&[cell(2001, 2, 31)], None, None);
        check(&[], None, None);
    }

    #[test]
    fn a_few_verdicts_say_nothing_yet() {
        let check = |real: i64, noise: i64, expected: bool| {
            assert_eq!(is_noise(1, &[CodePrecision { code: 1, real, noise }]), expected);
        };
        check(0, 4, false);
        check(0, 5, true);
        check(3, 3, false);
        check(2, 3, true);
    }

    fn at(bucket: u32, template: &str, count: i64) -> TemplateCount {
        TemplateCount {
            bucket,
            template: (!template.is_empty()).then(|| template.to_owned()),
            steps: 20,
            count,
        }
    }

    #[test]
    fn the_onset_names_a_template_that_came_with_it() {
        let check = |counts: &[TemplateCount], expected: Option<(usize, Option<&str>)>| {
            let found = onset(counts, 6);
            let found = found.as_ref().map(|o| (o.bucket, o.template.as_deref()));
            assert_eq!(found, expected, "{counts:?}");
        };
        check(
            &[
                at(0, "old", 0),
                at(1, "old", 1),
                at(3, "new", 8),
                at(4, "new", 9),
                at(5, "new", 8),
            ],
            Some((3, Some("new"))),
        );
        // The same template all along: it did not cause the change.
        check(
            &[at(0, "old", 0), at(3, "old", 8), at(4, "old", 9), at(5, "old", 8)],
            Some((3, None)),
        );
        // The step itself is new: there was no other prompt.
        check(
            &[at(3, "new", 8), at(4, "new", 9), at(5, "new", 8)],
            Some((3, None)),
        );
        check(
            &[
                at(0, "old", 5),
                at(1, "old", 5),
                at(2, "old", 5),
                at(3, "old", 5),
                at(4, "old", 5),
                at(5, "old", 5),
            ],
            None,
        );
        check(&[], None);
    }

    #[test]
    fn what_never_was_before_begins_with_its_first_bucket() {
        let check = |per_bucket: [i64; 8], expected: Option<(usize, bool)>| {
            let counts: Vec<TemplateCount> = (0..)
                .zip(per_bucket)
                .map(|(n, count)| at(n, "t", count))
                .collect();
            let found = onset(&counts, 8).map(|onset| (onset.bucket, onset.is_first));
            assert_eq!(found, expected, "{per_bucket:?}");
        };
        // The level rises most after the fifth day, and the first ones came on it.
        check([0, 0, 0, 0, 0, 7, 29, 31], Some((5, true)));
        check([0, 0, 0, 0, 1, 0, 30, 30], Some((4, true)));
        check([0, 1, 0, 0, 0, 7, 29, 31], Some((6, false)));
        check([5, 5, 5, 5, 5, 5, 5, 5], None);
        check([0; 8], None);
    }
}

use super::*;

fn stacks(values: &[&[i64]]) -> Chart {
    let series = (0..values.first().map_or(0, |v| v.len()))
        .map(|index| Series {
            name: format!("<b>{index}"),
            role: Role::layer(index as u8 + 1),
        })
        .collect();
    let bars = values.iter().enumerate().map(|(index, values)| Bar {
        label: format!("{index} Nov"),
        title: format!("{index} Nov"),
        href: Some(format!("?day={index}&x=1")),
        values: values.to_vec(),
    });
    Chart {
        marks: Marks::Bars(Bars {
            series,
            bars: bars.collect(),
        }),
        unit: "condition",
        across: "Day",
        height_px: 130,
    }
}

fn scatter() -> Chart {
    let dot = |at: f64, value: f64, role: Role| Dot {
        at,
        value,
        role,
        title: "13 Nov 09:12".to_owned(),
        word: "still alert",
        href: None,
    };
    let line = |value: f64, role: Role, label: &str| Line {
        value,
        role,
        label: label.to_owned(),
    };
    Chart {
        marks: Marks::Dots(Dots {
            dots: vec![dot(0.5, 100.0, Role::Stays), dot(0.25, 50.0, Role::Below)],
            lines: vec![
                line(100.0, Role::AsTried, "100, as tried"),
                line(95.0, Role::InForce, "95, in force"),
            ],
            ticks: vec![(0.0, "1 Nov".to_owned())],
            at_least: 200.0,
        }),
        unit: "point",
        across: "Time",
        height_px: 230,
    }
}

#[test]
fn the_server_draws_bars_without_knowing_a_width_or_a_colour() {
    let svg = svg::marks(&stacks(&[&[1, 3], &[0, 0]]));
    assert_eq!(svg.matches("<rect").count(), 2, "{svg}");
    // Half of the plot per bar; a quarter of its height (8 to 108 px) is the first part, less a hairline.
    assert!(
        svg.contains(r#"<rect class="layer-1" x="8.5%" width="33%" y="84" height="24"/>"#),
        "{svg}"
    );
    assert!(
        svg.contains(r#"<line class="ch-axis" x1="0%" x2="100%" y1="108" y2="108"/>"#),
        "{svg}"
    );
    assert_eq!(svg.matches("ch-grid").count(), 4);
    assert!(!svg.contains("style"));
}

#[test]
fn what_is_almost_nothing_beside_much_can_still_be_seen() {
    let svg = svg::marks(&stacks(&[&[1, 100_000]]));
    assert_eq!(svg.matches("<rect").count(), 2, "{svg}");
    assert!(svg.contains(r#"height="1""#), "{svg}");
}

#[test]
fn the_server_draws_dots_lines_and_the_band_between_them() {
    let svg = svg::marks(&scatter());
    assert!(
        svg.contains(r#"<circle class="ch-stays" cx="50%" cy="108" r="4"/>"#),
        "{svg}"
    );
    assert!(svg.contains(r#"class="ch-below" cx="25%""#), "{svg}");
    assert!(svg.contains(r#"class="ch-as-tried""#) && svg.contains(r#"class="ch-in-force""#));
    assert!(
        svg.contains(r#"<rect class="ch-between" x="0%" width="100%""#),
        "{svg}"
    );
    // Lines 5 points apart would have their names on top of one another.
    let labels = overlay::line_labels(&scatter());
    assert!(
        labels.contains(r#"y="112.0">100, as tried"#) && labels.contains(r#"y="127.0">95"#),
        "{labels}"
    );
}

#[test]
fn names_are_text_wherever_they_stand() {
    let chart = stacks(&[&[1, 3]]);
    let tip = overlay::tooltip(&chart, 0);
    assert!(tip.contains("&lt;b&gt;1") && !tip.contains("<b>"), "{tip}");
    assert!(overlay::zones(&chart, true).contains(r#"href="?day=0&amp;x=1""#));
    assert_eq!(overlay::tooltip(&chart, 7), "");
}

#[test]
fn tooltip_zone_and_axis_say_the_same() {
    let chart = stacks(&[&[1, 3], &[0, 0]]);
    assert!(overlay::zones(&chart, false).contains("0 Nov: 4 conditions"));
    assert!(overlay::tooltip(&chart, 0).contains(">4 conditions<"));
    assert!(svg::x_texts(&chart).contains(">0 Nov<"));
    assert!(svg::y_texts(&chart).contains(">4<"));
    // An empty day leads nowhere.
    assert_eq!(overlay::zones(&chart, false).matches("<a ").count(), 1);
    assert_eq!(overlay::href(&chart, 0), Some("?day=0&x=1"));
    assert_eq!(overlay::href(&chart, 1), None);
}

#[test]
fn the_pointer_means_the_nearest() {
    let check = |chart: &Chart, across: f64, down: f64, expected: Option<usize>| {
        assert_eq!(overlay::at(chart, across, down, 800.0), expected);
    };
    check(&stacks(&[&[1], &[2]]), 0.49, 5.0, Some(0));
    check(&stacks(&[&[1], &[2]]), 1.0, 5.0, Some(1));
    check(&stacks(&[]), 0.5, 5.0, None);
    check(&scatter(), 0.505, 105.0, Some(0));
    check(&scatter(), 0.9, 105.0, None);
}

#[test]
fn labels_are_thinned_from_the_latest_backwards() {
    let texts = |days: usize| {
        let values: Vec<&[i64]> = vec![&[1]; days];
        stacks(&values)
            .x_ticks()
            .iter()
            .map(|(_, text, _)| (*text).to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(texts(14).len(), 14);
    assert_eq!(texts(60).len(), 15);
    assert_eq!(texts(60).last().map(String::as_str), Some("59 Nov"));
}

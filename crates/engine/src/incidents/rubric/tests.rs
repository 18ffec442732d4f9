use super::*;

const MINUTE: i64 = 60_000_000;

fn at(minutes: i64) -> Timestamp {
    // 00:00 of a day
    Timestamp::from_micros(1_800_057_600_000_000 + minutes * MINUTE)
}

fn rollout(started: i64, completed: i64) -> Rollout {
    Rollout {
        started_at: at(started),
        completed_at: at(completed),
    }
}

fn calls<'a>(minute: i64, model: &'a str, template: &'a str, calls: i64, errors: i64) -> CallCount<'a> {
    CallCount {
        at: at(minute),
        model,
        template,
        calls,
        errors,
    }
}

/// The points of a deploy at minute 10 with these calls around it.
fn points_of(counts: &[CallCount<'_>]) -> u8 {
    rubric(&[rollout(5, 10)], at(0), counts)[0].points
}

#[test]
fn candidates_begin_from_20_00_of_the_day_before_to_before_24_00() {
    let check = |started: i64, expected: usize| {
        let found = rubric(&[rollout(started, started + 5)], at(0), &[]);
        assert_eq!(found.len(), expected, "{started}");
    };
    check(-4 * 60 - 1, 0);
    check(-4 * 60, 1);
    check(24 * 60 - 1, 1);
    check(24 * 60, 0);
    // What counts is when the rollout began, not when it ended.
    assert_eq!(rubric(&[rollout(-241, 0)], at(0), &[]).len(), 0);
    assert_eq!(rubric(&[rollout(1439, 2000)], at(0), &[]).len(), 1);
}

#[test]
fn a_candidate_without_evidence_has_five_points() {
    assert_eq!(points_of(&[]), 5);
    assert_eq!(
        points_of(&[calls(9, "haiku", "a", 50, 0), calls(11, "haiku", "a", 50, 0)]),
        5
    );
    // Nothing before or nothing after is no change.
    assert_eq!(points_of(&[calls(11, "sonnet", "b", 50, 50)]), 5);
    assert_eq!(points_of(&[calls(9, "sonnet", "b", 50, 0)]), 5);
}

#[test]
fn a_model_has_to_have_sixty_percent_afterwards() {
    let check = |sonnet: i64, expected: u8| {
        let counts = [
            calls(9, "haiku", "a", 10, 0),
            calls(11, "sonnet", "a", sonnet, 0),
            calls(11, "haiku", "a", 1_000 - sonnet, 0),
        ];
        assert_eq!(points_of(&counts), expected, "{sonnet}");
    };
    check(600, 55);
    check(599, 5);
    check(1_000, 55);
    check(400, 5);
}

#[test]
fn a_template_counts_by_the_same_rule() {
    let check = |new: i64, expected: u8| {
        let counts = [
            calls(9, "haiku", "a", 10, 0),
            calls(11, "haiku", "b", new, 0),
            calls(11, "haiku", "c", 1_000 - new, 0),
        ];
        assert_eq!(points_of(&counts), expected, "{new}");
    };
    check(600, 35);
    check(599, 5);
}

#[test]
fn errors_have_to_rise_by_more_than_five_points() {
    let check = |before: i64, after: i64, expected: u8| {
        let counts = [
            calls(9, "haiku", "a", 1_000, before),
            calls(11, "haiku", "a", 1_000, after),
        ];
        assert_eq!(points_of(&counts), expected, "{before} {after}");
    };
    check(10, 60, 5);
    check(10, 61, 20);
    check(0, 50, 5);
    check(0, 51, 20);
    check(500, 0, 5);
}

#[test]
fn points_add_up_to_at_most_ninety_five() {
    let all = [calls(9, "haiku", "a", 100, 0), calls(11, "sonnet", "b", 100, 90)];
    let found = &rubric(&[rollout(5, 10)], at(0), &all)[0];
    // 5 + 50 + 30 + 15 = 100
    assert_eq!((found.points, found.kinds.len()), (95, 4));
    assert_eq!(found.confidence(), 0.95);
    let without_errors = [calls(9, "haiku", "a", 100, 0), calls(11, "sonnet", "b", 100, 0)];
    assert_eq!(points_of(&without_errors), 85);
}

#[test]
fn the_pivot_belongs_to_the_time_after_it() {
    let found = &rubric(&[rollout(5, 10)], at(0), &[calls(10, "haiku", "a", 7, 0)])[0];
    assert_eq!((found.sides.calls_before, found.sides.calls_after), (0, 7));
}

#[test]
fn calls_are_looked_at_for_forty_eight_hours_to_either_side() {
    let reach = 48 * 60;
    let found = |minute: i64| {
        let sides = rubric(&[rollout(5, 10)], at(0), &[calls(minute, "haiku", "a", 1, 0)])
            .remove(0)
            .sides;
        (sides.calls_before, sides.calls_after)
    };
    assert_eq!(found(10 - reach), (1, 0));
    assert_eq!(found(10 - reach - 1), (0, 0));
    assert_eq!(found(10 + reach - 1), (0, 1));
    assert_eq!(found(10 + reach), (0, 0));
}

#[test]
fn neighbours_cut_the_windows_at_their_completion() {
    let rollouts = [rollout(100, 110), rollout(60, 70), rollout(20, 30)];
    let counts: Vec<_> = [29, 30, 69, 70, 109, 110]
        .iter()
        .map(|minute| calls(*minute, "m", "t", 1, 0))
        .collect();
    let found = rubric(&rollouts, at(0), &counts);
    let read: Vec<_> = found
        .iter()
        .map(|points| {
            (
                points.rollout,
                points.sides.calls_before,
                points.sides.calls_after,
            )
        })
        .collect();
    // In the order of completion: each side ends where the neighbour is complete.
    assert_eq!(read, [(2, 1, 2), (1, 2, 2), (0, 2, 1)]);
    // A deploy that is no candidate cuts nothing.
    let alone = rubric(
        &[rollout(100, 110), rollout(-500, -300)],
        at(0),
        &[calls(-400, "m", "t", 1, 0)],
    );
    assert_eq!(alone[0].sides.calls_before, 1);
}

#[test]
fn of_two_values_with_as_many_calls_the_first_by_name_is_dominant() {
    let tied = [
        calls(9, "b", "t", 5, 0),
        calls(9, "a", "t", 5, 0),
        calls(11, "b", "t", 5, 0),
    ];
    let found = &rubric(&[rollout(5, 10)], at(0), &tied)[0];
    assert_eq!(found.sides.model_before, Some(("a".to_owned(), 5)));
    assert_eq!(found.points, 55);
}

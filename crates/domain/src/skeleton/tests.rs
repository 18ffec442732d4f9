use proptest::prelude::*;

use super::*;

fn raw(id: &str, parent: Option<&str>, at_ms: i64) -> RawStep {
    RawStep {
        step_id: id.to_owned(),
        parent_step_id: parent.map(str::to_owned),
        name: format!("name-{}", id.len() % 3),
        model: None,
        error: None,
        prompt_hash: None,
        kind: StepKind::Tool,
        status: StepStatus::Ok,
        severity: Severity::Ok,
        started_at: Timestamp::from_micros(at_ms * 1_000),
        ended_at: Some(Timestamp::from_micros(at_ms * 1_000 + 500)),
        latency_ms: Some(0.5),
        score: None,
        layer: None,
        cost_nano_usd: None,
        tokens: None,
    }
}

fn built(steps: Vec<RawStep>) -> Skeleton {
    let mut builder = SkeletonBuilder::default();
    steps.into_iter().for_each(|step| builder.push(step));
    builder.finish()
}

#[test]
fn parents_are_places_or_said_to_be_missing() {
    let skeleton = built(vec![
        raw("a", None, 0),
        raw("b", Some("a"), 1),
        raw("c", Some("gone"), 2),
        raw("d", Some("d"), 3),
        raw("e", Some("gone"), 4),
    ]);
    let parents: Vec<Parent> = skeleton.steps.iter().map(|step| step.parent).collect();
    assert_eq!(
        parents,
        [
            Parent::None,
            Parent::Step(0),
            Parent::Foreign(0),
            Parent::Foreign(1),
            Parent::Foreign(0)
        ]
    );
    assert!(skeleton.is_sound());
}

#[test]
fn only_prompts_that_come_again_are_numbered() {
    let steps = [Some(7), Some(9), None, Some(7), Some(7)];
    let steps = steps.iter().enumerate().map(|(at, hash)| RawStep {
        prompt_hash: *hash,
        ..raw(&at.to_string(), None, at as i64)
    });
    let calls: Vec<Option<u32>> = built(steps.collect()).steps.iter().map(|s| s.same_call).collect();
    assert_eq!(calls, [Some(0), None, None, Some(0), Some(0)]);
}

#[test]
fn durations() {
    let check = |latency_ms: Option<f64>, ended: bool, length: Option<i64>, shown_ms: f64| {
        let mut step = raw("a", None, 0);
        step.latency_ms = latency_ms;
        step.ended_at = step.ended_at.filter(|_| ended);
        let step = built(vec![step]).steps[0];
        assert_eq!(step.length_us, length);
        assert!(
            (step.shown_ms(9_000) - shown_ms).abs() < 1e-9,
            "{}",
            step.shown_ms(9_000)
        );
    };
    check(Some(0.5), true, Some(500), 0.5);
    check(Some(7.0), true, Some(500), 7.0);
    check(Some(-4.0), true, Some(500), -4.0);
    check(Some(7.0), false, Some(7_000), 7.0);
    check(None, false, None, 9.0);
}

#[test]
fn a_place_outside_of_its_list_is_not_sound() {
    let check = |change: fn(&mut Skeleton)| {
        let mut skeleton = built(vec![raw("a", None, 0), raw("b", Some("a"), 1)]);
        change(&mut skeleton);
        assert!(!skeleton.is_sound());
    };
    check(|s| s.steps[0].name = 9);
    check(|s| s.steps[0].model = Some(0));
    check(|s| s.steps[1].parent = Parent::Step(2));
    check(|s| s.steps[1].parent = Parent::Foreign(0));
    check(|s| s.ids.truncate(1));
}

fn some_steps() -> impl Strategy<Value = Vec<RawStep>> {
    prop::collection::vec((0u8..12, prop::option::of(0u8..14)), 0..24).prop_map(|links| {
        let mut seen = std::collections::HashSet::new();
        links
            .into_iter()
            .filter(|(id, _)| seen.insert(*id))
            .enumerate()
            .map(|(at, (id, parent))| {
                raw(
                    &id.to_string(),
                    parent.map(|p| p.to_string()).as_deref(),
                    at as i64,
                )
            })
            .collect()
    })
}

proptest! {
    /// What arrives in two parts is the run that arrives at once.
    #[test]
    fn parts_merge_into_the_whole(steps in some_steps(), cut in any::<prop::sample::Index>()) {
        let whole = built(steps.clone());
        let cut = if steps.is_empty() { 0 } else { cut.index(steps.len()) };
        let (first, later) = (built(steps[..cut].to_vec()), built(steps[cut / 2..].to_vec()));
        let merged = first.merged(&later);
        prop_assert!(merged.is_sound());
        prop_assert_eq!(&merged.ids, &whole.ids);
        let parents = |s: &Skeleton| s.steps.iter().map(|step| s.parent_id(step).map(str::to_owned)).collect::<Vec<_>>();
        prop_assert_eq!(parents(&merged), parents(&whole));
        let names = |s: &Skeleton| s.steps.iter().map(|step| s.name_of(step).to_owned()).collect::<Vec<_>>();
        prop_assert_eq!(names(&merged), names(&whole));
    }

    #[test]
    fn a_part_keeps_names_and_parents(steps in some_steps(), every in 1usize..4) {
        let whole = built(steps);
        let places: Vec<usize> = (0..whole.steps.len()).step_by(every).collect();
        let part = whole.part(&places);
        prop_assert!(part.is_sound());
        for (at, place) in places.iter().enumerate() {
            prop_assert_eq!(part.name_of(&part.steps[at]), whole.name_of(&whole.steps[*place]));
            prop_assert_eq!(part.parent_id(&part.steps[at]), whole.parent_id(&whole.steps[*place]));
        }
    }
}

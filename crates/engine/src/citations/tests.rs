use super::*;

fn evidence() -> Evidence {
    let step = |name: &str, failed: bool, codes: &[u16], text: &str| Facts {
        name: name.to_owned(),
        failed: Some(failed),
        codes: codes.iter().copied().collect(),
        texts: vec![text.to_owned()],
        bodies: vec!["{ \"intent\": \"refund\",\n \"entities\": [".to_owned()],
        figures: vec![Figure::micros(1_360_000), Figure::usd(1_700_000)],
    };
    Evidence {
        steps: BTreeMap::from([
            (
                "s1".to_owned(),
                step("parse-request", false, &[2001, 3011], "JSON was asked for"),
            ),
            (
                "s2".to_owned(),
                step("generate-response", true, &[1001], "TypeError: null"),
            ),
        ]),
        deploys: BTreeMap::from([("d1".to_owned(), Facts::default())]),
        results: BTreeMap::from([(
            "r1".to_owned(),
            Facts {
                texts: vec!["{\"cost_usd\": 12.5, \"calls\": 1804}".to_owned()],
                ..Facts::default()
            },
        )]),
        whole: Facts {
            figures: vec![Figure::usd(117_400_000)],
            ..Facts::default()
        },
    }
}

#[test]
fn a_claim_has_to_hold() {
    let step = |id: &str| Cite::Step(id.to_owned());
    let check = |text: &str, cites: &[Cite], expected: Option<&str>| {
        let claim = Claim {
            text: text.to_owned(),
            cites: cites.to_vec(),
            is_advice: false,
        };
        assert_eq!(broken(&claim, &evidence()).as_deref(), expected, "{text}");
    };
    check("It broke off.", &[step("s1"), Cite::Code(2001)], None);
    check("It broke off.", &[Cite::Code(3011)], None);
    check("It broke off.", &[Cite::Deploy("d1".to_owned())], None);
    check("It broke off.", &[], Some("it cites nothing"));
    check("  ", &[step("s1")], Some("it says nothing"));
    check("It broke off.", &[step("s9")], Some("there is no step s9"));
    check(
        "It broke off.",
        &[Cite::Code(4012)],
        Some("there is no condition 4012"),
    );
    check(
        "It broke off.",
        &[step("s2"), Cite::Code(2001)],
        Some("none of the steps it cites has condition 2001"),
    );
    // Figures: its own, the sum of what is cited, the run's.
    check("It took 1.36 s and $0.0017.", &[step("s1")], None);
    check(
        "Both took 2.72 s of a run of $0.1174.",
        &[step("s1"), step("s2")],
        None,
    );
    check(
        "It took 1.63 s.",
        &[step("s1")],
        Some("the figure 1.63 is not in what it cites"),
    );
    // Of a tool's answer figures may be of any unit.
    let result = [Cite::Result("r1".to_owned())];
    check("It cost $12.50 over 1,804 calls.", &result, None);
    check(
        "It cost $13.50.",
        &result,
        Some("the figure $13.50 is not in what it cites"),
    );
    // Quotes, whatever their white space.
    check("It ends in `\"entities\": [`.", &[step("s1")], None);
    check(
        "It ends in `{ \"intent\": \"refund\", \"entities\": [`.",
        &[step("s1")],
        None,
    );
    check(
        "It says \"qty: 1\".",
        &[step("s1")],
        Some("`qty: 1` is nowhere in what it cites"),
    );
    // What did not fail.
    check("generate-response failed.", &[step("s2")], None);
    check(
        "`parse-request` failed.",
        &[step("s1")],
        Some("parse-request did not fail"),
    );
    check("After parse-request, another one failed.", &[step("s1")], None);
}

#[test]
fn advice_may_propose_figures() {
    let claim = |text: &str| Claim {
        text: text.to_owned(),
        cites: vec![Cite::Step("s1".to_owned())],
        is_advice: true,
    };
    assert_eq!(broken(&claim("Set its limit to 3 s."), &evidence()), None);
    assert!(broken(&claim("It took 3 s, so raise its limit."), &evidence()).is_some());
}

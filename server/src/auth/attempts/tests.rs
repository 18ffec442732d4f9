use super::*;

const MARA: &str = "mara@acme.dev";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn address(n: u32) -> Option<IpAddr> {
    Some(IpAddr::from((0x0a00_0000 + n).to_be_bytes()))
}

fn fail(attempts: &Arc<Attempts>, email: &str, peer: Option<IpAddr>, now: Timestamp) -> Result<(), u32> {
    attempts.begin(email, peer, now).map(drop)
}

#[test]
fn failing_costs_longer_and_longer_waits_there_alone() {
    let attempts = Arc::default();
    for _ in 0..5 {
        assert_eq!(fail(&attempts, MARA, address(1), at(0)), Ok(()));
    }
    let mut now = 0;
    for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
        assert_eq!(fail(&attempts, MARA, address(1), at(now)), Err(wait));
        now += i64::from(wait);
        assert_eq!(fail(&attempts, MARA, address(1), at(now)), Ok(()));
    }
    assert_eq!(fail(&attempts, MARA, address(2), at(now)), Ok(()));
    assert_eq!(fail(&attempts, "noor@acme.dev", address(1), at(now)), Ok(()));
    // Forgotten in the end.
    assert_eq!(fail(&attempts, MARA, address(1), at(now + 3_600)), Ok(()));
    assert_eq!(fail(&attempts, MARA, address(1), at(now + 3_600)), Ok(()));
}

#[test]
fn addresses_of_one_subscriber_are_one() {
    let attempts = Arc::default();
    let one = |n: u16| Some(IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, n]));
    for n in 0..5 {
        assert_eq!(fail(&attempts, MARA, one(n), at(0)), Ok(()));
    }
    assert_eq!(fail(&attempts, MARA, one(9), at(0)), Err(1));
}

#[test]
fn a_success_forgets_what_was_mistyped_and_nothing_else() {
    let attempts: Arc<Attempts> = Arc::default();
    for _ in 0..200 {
        for _ in 0..4 {
            assert_eq!(fail(&attempts, MARA, address(1), at(0)), Ok(()));
        }
        attempts.begin(MARA, address(1), at(0)).unwrap().succeeded(at(0));
    }
    assert_eq!(
        attempts.lock().networks[&address(1)].count,
        800,
        "guesses of a network"
    );
}

#[test]
fn guesses_of_many_networks_are_held_up_and_the_person_is_not() {
    let attempts: Arc<Attempts> = Arc::default();
    let home = address(1_000_000);
    attempts.begin(MARA, home, at(0)).unwrap().succeeded(at(0));
    for n in 0..100 {
        let attempt = attempts.begin(MARA, address(n), at(0)).unwrap();
        assert_eq!(attempt.hold, Duration::ZERO, "{n}");
    }
    let hold = |peer| attempts.begin(MARA, peer, at(0)).unwrap().hold;
    assert_eq!(hold(address(200)), FIRST_HOLD);
    assert_eq!(hold(home), Duration::ZERO);
    for n in 1_000..3_000 {
        assert_eq!(fail(&attempts, MARA, address(n), at(0)), Ok(()), "never refused");
    }
    assert_eq!(hold(address(4_000)), MAX_HOLD);
    assert_eq!(hold(home), Duration::ZERO);

    // Few are under way at a time, and those of the person come on top.
    let under_way: Vec<Attempt> = (5_000..5_016)
        .map(|n| attempts.begin(MARA, address(n), at(0)).unwrap())
        .collect();
    assert_eq!(fail(&attempts, MARA, address(6_000), at(0)), Err(1));
    assert_eq!(fail(&attempts, MARA, home, at(0)), Ok(()));
    // Whoever hangs up makes room.
    drop(under_way);
    assert_eq!(fail(&attempts, MARA, address(6_000), at(0)), Ok(()));
}

#[test]
fn one_network_that_tries_everybody_is_held_up() {
    let attempts: Arc<Attempts> = Arc::default();
    for n in 0..100 {
        assert_eq!(
            fail(&attempts, &format!("{n}@acme.dev"), address(1), at(0)),
            Ok(())
        );
    }
    let hold = |peer| attempts.begin("other@acme.dev", peer, at(0)).unwrap().hold;
    assert_eq!(hold(address(1)), FIRST_HOLD);
    assert_eq!(hold(address(2)), Duration::ZERO);
}

#[test]
fn made_up_names_do_not_fill_the_memory() {
    let attempts: Arc<Attempts> = Arc::default();
    let entries = |attempts: &Attempts| {
        let tables = attempts.lock();
        tables
            .pairs
            .len()
            .max(tables.emails.len())
            .max(tables.networks.len())
    };
    for n in 0..50_000_u32 {
        let email = format!("{n}{}", "x".repeat(60));
        assert_eq!(
            fail(&attempts, &email, address(n), at(i64::from(n) / 1_000)),
            Ok(())
        );
        assert!(entries(&attempts) <= MAX_ENTRIES + 1);
    }
    assert!(entries(&attempts) > MAX_ENTRIES / 2, "the latest are kept");
    assert_eq!(fail(&attempts, "last", address(1), at(10_000)), Ok(()));
    assert_eq!(entries(&attempts), 1, "and none longer than an hour");
}

use proptest::prelude::*;

use super::*;

fn scan(chunks: &[&[u8]]) -> Vec<Event> {
    let mut scanner = Scanner::default();
    let mut events: Vec<Event> = chunks.iter().flat_map(|chunk| scanner.feed(chunk)).collect();
    events.extend(scanner.finish());
    events
}

#[test]
fn events() {
    let check = |stream: &str, expected: &[(&str, &str)]| {
        let events = scan(&[stream.as_bytes()]);
        let found: Vec<(&str, &str)> = events
            .iter()
            .map(|event| (event.name.as_str(), event.data.as_str()))
            .collect();
        assert_eq!(found, expected, "{stream:?}");
    };
    check("", &[]);
    check("data: a\n\n", &[("", "a")]);
    check("data:a\r\n\r\ndata:  b\r\n\r\n", &[("", "a"), ("", " b")]);
    check("data: a\r\rdata: b\r\r", &[("", "a"), ("", "b")]);
    check("data: a\ndata: b\n\n", &[("", "a\nb")]);
    check("data\n\n", &[("", "")]);
    check("event: x\ndata: a\n\ndata: b\n\n", &[("x", "a"), ("", "b")]);
    check("event: x\n\ndata: b\n\n", &[("", "b")]);
    check(": ping\n\nid: 3\nretry: 5\ndata: a\n\n", &[("", "a")]);
    check("\u{feff}data: a\n\n", &[("", "a")]);
    check("data: a\n\n\u{feff}data: b\n\n", &[("", "a")]);
    check("data: [DONE]", &[("", "[DONE]")]);
    check("data: [DONE]\n", &[("", "[DONE]")]);
    check("\n\n\r\n\r\r", &[]);
}

#[test]
fn positions_are_those_of_the_stream() {
    let ends =
        |stream: &str| -> Vec<usize> { scan(&[stream.as_bytes()]).iter().map(|event| event.end).collect() };
    assert_eq!(ends("data: a\n\ndata: b\n\n"), [9, 18]);
}

#[test]
fn an_endless_line_takes_no_memory() {
    let mut scanner = Scanner::default();
    let chunk = vec![b'x'; 1024 * 1024];
    assert_eq!(scanner.feed(b"data: "), []);
    for _ in 0..64 {
        assert_eq!(scanner.feed(&chunk), []);
        assert!(scanner.line.capacity() + scanner.data.capacity() <= 2 * MAX_EVENT_BYTES);
    }
    let events = scanner.feed(b"\n\ndata: b\n\n");
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].data.as_str(), scanner.dropped_events()), ("b", 1));
}

#[test]
fn what_follows_a_gap_begins_with_a_whole_event() {
    let mut scanner = Scanner::default();
    scanner.feed(b"data: a\n\ndata: be");
    scanner.skip_to(100);
    let events = scanner.feed(b"ginning lost\n\ndata: c\n\n");
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].data, "c");
}

proptest! {
    #[test]
    fn any_split_gives_the_same_events(
        stream in proptest::collection::vec(
            prop_oneof![
                Just(&b"data: "[..]), Just(&b"event: x"[..]), Just(&b"\r"[..]), Just(&b"\n"[..]),
                Just(&b"\r\n"[..]), Just(&b"\xef\xbb\xbf"[..]), Just(&b": "[..]), Just(&b"{\"a\":1}"[..]),
                Just(&b"\xff\xc3"[..]), Just(&b"data"[..]),
            ],
            0..40,
        ),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let stream = stream.concat();
        let whole = scan(&[&stream]);
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        at.sort_unstable();
        let mut chunks = Vec::new();
        let mut from = 0;
        for to in at {
            chunks.push(&stream[from..to]);
            from = to;
        }
        chunks.push(&stream[from..]);
        prop_assert_eq!(scan(&chunks), whole.clone());
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        prop_assert_eq!(scan(&bytes), whole);
    }
}

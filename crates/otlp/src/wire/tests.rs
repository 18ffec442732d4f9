use prost::Message as _;

use super::*;

fn span(trace_id: &[u8], span_id: &[u8]) -> Span {
    Span {
        trace_id: trace_id.to_vec(),
        span_id: span_id.to_vec(),
        name: "work".to_owned(),
        ..Span::default()
    }
}

fn data(spans: Vec<Span>) -> TracesData {
    let scope_spans = vec![ScopeSpans { scope: None, spans }];
    TracesData {
        resource_spans: vec![ResourceSpans {
            resource: None,
            scope_spans,
        }],
    }
}

#[test]
fn json_says_what_protobuf_says() {
    let mut expected = span(&[0xab; 16], &[0xcd; 8]);
    expected.start_time_unix_nano = 1_795_000_000_123_456_789;
    expected.end_time_unix_nano = 1_795_000_001_000_000_000;
    expected.status = Some(Status {
        message: "no".to_owned(),
        code: Status::ERROR,
    });
    let value = |value| Some(AnyValue { value: Some(value) });
    let pair = |key: &str, any| KeyValue {
        key: key.to_owned(),
        value: value(any),
    };
    expected.attributes = vec![
        pair("text", Any::String("a".to_owned())),
        pair("as_string", Any::Int(-7)),
        pair("as_number", Any::Int(7)),
        pair("double", Any::Double(0.5)),
        pair("infinite", Any::Double(f64::INFINITY)),
        pair("bytes", Any::Bytes(vec![1, 2])),
        pair(
            "list",
            Any::Array(ArrayValue {
                values: vec![AnyValue {
                    value: Some(Any::Bool(true)),
                }],
            }),
        ),
        pair(
            "map",
            Any::Map(KeyValueList {
                values: vec![pair("k", Any::String("v".to_owned()))],
            }),
        ),
        KeyValue {
            key: "nothing".to_owned(),
            value: Some(AnyValue { value: None }),
        },
    ];
    let json = r#"{"resourceSpans":[{"unknown":{"a":[1]},"resource":null,"scopeSpans":[{"spans":[{
        "traceId":"ABABABABABABABABABABABABABABABAB","spanId":"cdcdcdcdcdcdcdcd","parentSpanId":"","name":"work",
        "kind":3,"startTimeUnixNano":"1795000000123456789","endTimeUnixNano":1795000001000000000,
        "events":null,"status":{"code":2,"message":"no"},"attributes":[
          {"key":"text","value":{"stringValue":"a"}},{"key":"as_string","value":{"intValue":"-7"}},
          {"key":"as_number","value":{"intValue":7}},{"key":"double","value":{"doubleValue":0.5}},
          {"key":"infinite","value":{"doubleValue":"Infinity"}},{"key":"bytes","value":{"bytesValue":"AQI="}},
          {"key":"list","value":{"arrayValue":{"values":[{"boolValue":true}]}}},
          {"key":"map","value":{"kvlistValue":{"values":[{"key":"k","value":{"stringValue":"v"}}]}}},
          {"key":"nothing","value":{}}]}]}]}]}"#;
    let of_json = of_json(json.as_bytes()).unwrap();
    assert_eq!(of_json, data(vec![expected.clone()]));
    assert_eq!(of_protobuf(&of_json.encode_to_vec()), Ok(data(vec![expected])));
}

#[test]
fn an_empty_request_is_one() {
    assert_eq!(of_protobuf(b""), Ok(TracesData::default()));
    assert_eq!(of_json(b"{}"), Ok(TracesData::default()));
}

#[test]
fn what_is_no_request_is_said() {
    assert!(matches!(of_protobuf(b"\xff\xff"), Err(Malformed::Unreadable(_))));
    for json in ["", "[]", "{\"resourceSpans\":5}", "{", "nonsense"] {
        assert!(
            matches!(of_json(json.as_bytes()), Err(Malformed::Unreadable(_))),
            "{json}"
        );
    }
}

#[test]
fn what_belongs_to_another_path_is_told() {
    assert_eq!(of_json(br#"{"resourceLogs":[{}]}"#), Err(Malformed::Logs));
    assert_eq!(of_json(br#"{"resourceMetrics":[{}]}"#), Err(Malformed::Metrics));
    // resource_logs { scope_logs { log_records { time_unix_nano: 1, severity_number: 9, body.. } } }
    let record = b"\x09\x01\x00\x00\x00\x00\x00\x00\x00\x10\x09\x2a\x04\x0a\x02hi";
    assert_eq!(of_protobuf(&nested(record)), Err(Malformed::Logs));
    // resource_metrics { scope_metrics { metrics { name: "tokens", description: "used", unit: "1" } } }
    let metric = b"\x0a\x06tokens\x12\x04used\x1a\x011";
    assert_eq!(of_protobuf(&nested(metric)), Err(Malformed::Metrics));
}

/// An item in a scope in a resource, as all signals have them.
fn nested(item: &[u8]) -> Vec<u8> {
    let mut bytes = item.to_vec();
    for tag in [0x12, 0x12, 0x0a] {
        let mut outer = vec![tag, u8::try_from(bytes.len()).unwrap()];
        outer.append(&mut bytes);
        bytes = outer;
    }
    bytes
}

#[test]
fn more_values_than_memory_is_for_are_refused_before_they_are_read() {
    let many = data(vec![Span::default(); MAX_VALUES]);
    assert_eq!(of_protobuf(&many.encode_to_vec()), Err(Malformed::TooManyValues));
    let json = format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{}{{}}]}}]}}]}}"#,
        "{},".repeat(MAX_VALUES)
    );
    assert_eq!(of_json(json.as_bytes()), Err(Malformed::TooManyValues));
}

#[test]
fn braces_in_texts_are_no_values() {
    let text = "{".repeat(MAX_VALUES + 1);
    let json = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"name":"\"{text}"}}]}}]}}]}}"#);
    assert!(of_json(json.as_bytes()).is_ok());
}

#[test]
fn values_within_values_end_somewhere() {
    let mut value = AnyValue { value: None };
    for _ in 0..200 {
        value = AnyValue {
            value: Some(Any::Array(ArrayValue { values: vec![value] })),
        };
    }
    let mut deep = span(&[1; 16], &[1; 8]);
    deep.attributes.push(KeyValue {
        key: "deep".to_owned(),
        value: Some(value),
    });
    let bytes = data(vec![deep]).encode_to_vec();
    assert!(matches!(of_protobuf(&bytes), Err(Malformed::Unreadable(_))));
}

#[test]
fn an_id_that_is_none_is_empty() {
    let json = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"xyz","spanId":"123"}]}]}]}"#;
    assert_eq!(of_json(json.as_bytes()), Ok(data(vec![Span::default()])));
}

/// What the decoder passes over may be anything: it does not end the count.
#[test]
fn unreadable_bytes_in_unknown_fields_hide_no_values() {
    let spans = b"\x12\x00".repeat(MAX_VALUES + 1);
    let mut of_scope = b"\x0a\x03\x1a\x01\x80".to_vec();
    of_scope.extend(spans);
    let mut bytes = of_scope;
    for tag in [0x12, 0x0a] {
        let mut outer = vec![tag];
        prost::encoding::encode_varint(bytes.len() as u64, &mut outer);
        outer.append(&mut bytes);
        bytes = outer;
    }
    assert_eq!(of_protobuf(&bytes), Err(Malformed::TooManyValues));
}

/// A list may stand for a message, and figures for anything.
#[test]
fn lists_of_json_are_values_too() {
    let of = |item: &str, times: usize| {
        let items = vec![item; times].join(",");
        format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{items}]}}]}}]}}"#)
    };
    assert_eq!(
        of_json(of("[]", MAX_VALUES + 1).as_bytes()),
        Err(Malformed::TooManyValues)
    );
    assert_eq!(
        of_json(of("0", 4 * MAX_VALUES + 2).as_bytes()),
        Err(Malformed::TooManyValues)
    );
    assert_eq!(
        of_json(of("{}", MAX_SPANS + 1).as_bytes()),
        Err(Malformed::TooManyValues)
    );
    let metrics = of("{}", MAX_VALUES + 1).replace("resourceSpans", "resourceMetrics");
    assert_eq!(data_points(metrics.as_bytes(), true), 0);
}

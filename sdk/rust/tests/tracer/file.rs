//! Traces as AITrace writes them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use plumbline_sdk::{Exporter, FileExporter, SpanExt, Tracer, span, trace};
use serde_json::{Value, json};

use crate::ingest_server::IngestServer;
use crate::program::{PATIENCE, options, said, traced};

/// A folder that is gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("plumbline-sdk-{}-{name}", std::process::id()));
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect()
}

#[test]
fn each_trace_is_a_file() {
    let folder = Folder::new("each");
    let tracer = Tracer::builder()
        .send(false)
        .enabled(true)
        .release("abc")
        .environment("test")
        .exporter(FileExporter::new(&folder.0).unwrap())
        .build();
    traced(&tracer, || {
        trace!("agent.handle_message", user_id = "u-1").in_scope(|| {
            let reasoning = span!("reasoning", model = "gpt-4");
            reasoning.add_event("reasoning_complete", json!({ "thought_count": 3 }));
            reasoning.fail("gave up");
        });
        drop(trace!("another"));
    });
    assert!(tracer.flush(PATIENCE));
    let found = names(&folder.0);
    assert_eq!(found.len(), 2, "{found:?}");

    let traces: Vec<(String, Value)> = found
        .into_iter()
        .map(|name| {
            let text = fs::read_to_string(folder.0.join(&name)).unwrap();
            (name, serde_json::from_str(&text).unwrap())
        })
        .collect();
    let (name, trace) = traces
        .iter()
        .find(|(_, trace)| trace["spans"].as_array().unwrap().len() == 2)
        .unwrap();
    let id = trace["trace_id"].as_str().unwrap();
    let seconds: u64 = name
        .strip_prefix(&format!("{id}_"))
        .and_then(|rest| rest.strip_suffix(".json"))
        .unwrap()
        .parse()
        .unwrap();
    assert!(seconds > 1_700_000_000, "{name}");
    let keys = |value: &Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<BTreeSet<String>>()
    };
    let expected = |names: &str| names.split(' ').map(str::to_owned).collect::<BTreeSet<String>>();
    assert_eq!(
        keys(trace),
        expected(
            "clock_domain created_at created_at_wall_time exporter_schema_version metadata spans trace_id"
        )
    );
    assert_eq!(
        trace["metadata"],
        json!({ "release": "abc", "environment": "test" })
    );
    let [reasoning, root] = trace["spans"].as_array().unwrap().as_slice() else {
        panic!("{trace}");
    };
    for span in [reasoning, root] {
        assert_eq!(
            keys(span),
            expected(
                "attributes duration_microseconds end_time end_wall_time events name parent_span_id span_id start_time start_wall_time status"
            )
        );
        let micros = |field: &str| span[field].as_u64().unwrap();
        assert_eq!(
            micros("end_time") - micros("start_time"),
            micros("duration_microseconds")
        );
        assert!(micros("start_time") >= trace["created_at"].as_u64().unwrap());
    }
    assert_eq!(root["parent_span_id"], Value::Null);
    assert_eq!(root["status"], "ok");
    assert_eq!(reasoning["parent_span_id"], root["span_id"]);
    assert_eq!(reasoning["status"], "error");
    assert_eq!(
        reasoning["attributes"],
        json!({ "model": "gpt-4", "user_id": "u-1", "error": "gave up" })
    );
    assert_eq!(reasoning["events"][0]["name"], "reasoning_complete");
    assert_eq!(
        reasoning["events"][0]["attributes"],
        json!({ "thought_count": 3 })
    );
    assert_eq!(
        keys(&reasoning["events"][0]),
        expected("attributes name timestamp wall_time")
    );
}

#[test]
fn a_folder_that_cannot_be_written_is_a_warning() {
    let folder = Folder::new("no-folder");
    fs::write(&folder.0, "a file").unwrap();
    let server = IngestServer::start();
    let (builder, warnings) = options(&server);
    let tracer = builder.exporter(FileExporter::new(&folder.0).unwrap()).build();
    traced(&tracer, || drop(trace!("run")));
    assert!(!tracer.flush(PATIENCE), "it is not where it belongs");
    let said = said(&warnings);
    assert!(
        said.len() == 1 && said[0].contains("a trace was not exported"),
        "{said:?}"
    );
    assert_eq!(server.taken().len(), 1, "the server has it all the same");
    fs::remove_file(&folder.0).unwrap();
}

#[test]
fn an_id_from_elsewhere_does_not_lead_out_of_the_folder() {
    let folder = Folder::new("ids");
    let exporter = FileExporter::new(&folder.0).unwrap();
    let trace = plumbline_sdk::Trace {
        trace_id: "../../é".to_owned(),
        created_at: SystemTime::UNIX_EPOCH,
        metadata: serde_json::Map::new(),
        spans: Vec::new(),
    };
    exporter.export(&std::sync::Arc::new(trace)).unwrap();
    exporter.flush(Duration::from_secs(20)).unwrap();
    assert_eq!(names(&folder.0), ["________0.json"]);
}

//! Whatever reads texts reads sealed ones too, each opened for the place that it stands in, or not at all.

use std::sync::Arc;

use domain::{NewStep, ProjectId, StepEvent, StepKind};
use serde_json::json;
use sqlx::{AssertSqlSafe, PgConnection};
use storage::payloads::{OpenPayloads, PayloadKey, TextPlace, Unopened};
use storage::runs::groups;
use storage::steps::calls::{call, call_texts};
use storage::{Db, Error, backtest, detectors, payloads, redaction, runs, steps};

use crate::batch::{step, write};
use crate::support::{TestDatabase, at};

const RECEIVED: &str = "2026-11-24T13:00:00Z";
/// What stands for the project's key.
const KEY: &[u8] = b"key of project 1";

/// A cipher that says what a text belongs to, and hides nothing.
#[derive(Debug)]
struct Labels;

impl OpenPayloads for Labels {
    fn key(&self, _project: ProjectId, sealed_key: &[u8]) -> Result<Box<dyn PayloadKey>, Unopened> {
        if sealed_key == KEY {
            Ok(Box::new(Self))
        } else {
            Err(Unopened::OtherKey)
        }
    }
}

impl PayloadKey for Labels {
    fn open(&self, place: TextPlace<'_>, sealed: &[u8]) -> Result<String, Unopened> {
        let label = format!("{}/{}/{:?}|", place.run_id, place.step_id, place.field);
        let text = std::str::from_utf8(sealed).map_err(|_no_text| Unopened::Damaged)?;
        text.strip_prefix(&label)
            .map(str::to_owned)
            .ok_or(Unopened::Damaged)
    }
}

/// Seals, as [`Labels`] does, what of a run is stored in clear.
async fn seal(owner: &mut PgConnection, run: &str) {
    let column = |name: &str, field: &str| {
        format!(
            "{name}_sealed = convert_to(run_id || '/' || step_id || '/{field}|' || {name}::text, 'UTF8'), {name} = null"
        )
    };
    let payloads = [
        column("input", "Input"),
        column("output", "Output"),
        column("prompt_template", "PromptTemplate"),
    ];
    for statement in [
        format!(
            "update step_payloads set {} where run_id = '{run}'",
            payloads.join(", ")
        ),
        format!(
            "update step_events set {} where run_id = '{run}'",
            column("attributes", "EventAttributes(0)")
        ),
    ] {
        sqlx::query(AssertSqlSafe(statement))
            .execute(&mut *owner)
            .await
            .unwrap();
    }
}

fn said(run: &str, id: &str, kind: StepKind) -> NewStep {
    NewStep {
        kind,
        prompt_template: Some("Answer {question}".to_owned()),
        events: vec![StepEvent {
            at: at("2026-11-24T12:00:00Z"),
            name: "said".to_owned(),
            attributes: [("word".to_owned(), json!("hello"))].into_iter().collect(),
        }],
        ..step(run, id, at("2026-11-24T12:00:00Z"))
    }
}

/// What every function that reads texts says of a run with the steps `model` and `tool`.
async fn read(db: &Db, project: ProjectId, run: &str) -> storage::Result<Vec<String>> {
    let mut snapshot = db.snapshot(project).await?;
    let ids = ["model".to_owned(), "tool".to_owned()];
    let mut read = vec![format!(
        "{:?}",
        steps::payload(&mut snapshot, project, run, "model").await?
    )];
    let mut both = steps::texts(&mut snapshot, project, run, &ids, 4).await?;
    both.sort_by(|one, other| one.step_id.cmp(&other.step_id));
    for texts in both {
        read.push(format!("{texts:?}"));
    }
    for texts in detectors::texts(&mut snapshot, project, run, &ids, 4).await? {
        read.push(format!("{texts:?}"));
    }
    let judged = detectors::read(&mut snapshot, project, run, &[]).await?;
    read.extend(judged.steps.iter().map(|step| format!("{:?}", step.input_hash)));
    let mut hashes: Vec<_> = steps::answer_hashes(&mut snapshot, project, run, 10)
        .await?
        .into_iter()
        .collect();
    hashes.sort_unstable();
    read.push(format!("{hashes:?}"));
    let model = call(&mut snapshot, project, run, "model").await?;
    read.push(format!(
        "{:?}",
        call_texts(&mut snapshot, project, &model, 4).await?
    ));
    let summary = runs::get(&mut snapshot, project, run).await?;
    read.push(format!(
        "{:?}",
        groups::texts(&mut snapshot, project, &summary, 1_000, 4).await?
    ));
    Ok(read)
}

#[tokio::test]
async fn every_reader_says_of_sealed_texts_what_it_says_of_plain_ones() {
    let database = TestDatabase::new().await;
    let project = database.project(1).await;
    let now = at(RECEIVED);
    let both = |run| {
        [
            said(run, "model", StepKind::Llm),
            said(run, "tool", StepKind::Tool),
        ]
    };
    for run in ["plain", "sealed"] {
        write(&database.db, project, &both(run), now).await.unwrap();
    }
    payloads::set_sealing(&database.db, project, true, KEY, "test", now)
        .await
        .unwrap();
    let mut owner = database.superuser().await;
    seal(&mut owner, "sealed").await;

    let db = database.db.opening_payloads(Arc::new(Labels));
    let plain = read(&db, project, "plain").await.unwrap();
    assert!(
        plain[0].contains("question") && plain[0].contains("hello"),
        "{plain:?}"
    );
    assert_eq!(read(&db, project, "sealed").await.unwrap(), plain);

    let mut snapshot = db.snapshot(project).await.unwrap();
    let latest = redaction::latest_texts(&mut snapshot, project, 10, 1 << 20)
        .await
        .unwrap();
    let with = |word: &str| {
        latest
            .iter()
            .filter(|texts| texts.iter().any(|text| text == word))
            .count()
    };
    assert_eq!((with("question"), with("answer")), (4, 4));
    let back = backtest::steps(&mut snapshot, project, at("2026-11-24T00:00:00Z"), 10)
        .await
        .unwrap();
    let inputs: Vec<_> = back.texts.iter().map(|text| text.input.as_deref()).collect();
    assert_eq!(inputs, [Some("question"); 2], "of the two calls of models");
    let lately = payloads::sealed_lately(&mut snapshot, project, 10).await.unwrap();
    assert_eq!(lately, (2, 4));
}

#[tokio::test]
async fn what_can_not_be_opened_is_an_error_and_no_empty_text() {
    let database = TestDatabase::new().await;
    let project = database.project(1).await;
    let now = at(RECEIVED);
    for run in ["plain", "sealed"] {
        let both = [
            said(run, "model", StepKind::Llm),
            said(run, "tool", StepKind::Tool),
        ];
        write(&database.db, project, &both, now).await.unwrap();
    }
    let mut owner = database.superuser().await;
    seal(&mut owner, "sealed").await;
    let cause = |read: storage::Result<Vec<String>>| match read {
        Err(Error::Sealed(cause)) => cause,
        other => panic!("{other:?}"),
    };

    let db = database.db.opening_payloads(Arc::new(Labels));
    assert_eq!(cause(read(&db, project, "sealed").await), Unopened::NoKey);
    payloads::set_sealing(&database.db, project, true, b"of another server", "test", now)
        .await
        .unwrap();
    assert_eq!(cause(read(&db, project, "sealed").await), Unopened::OtherKey);
    // The key that is there is never replaced: what was sealed with it would be lost.
    payloads::set_sealing(&database.db, project, true, KEY, "test", now)
        .await
        .unwrap();
    assert_eq!(cause(read(&db, project, "sealed").await), Unopened::OtherKey);
    sqlx::query("update payload_keys set sealed_key = $1")
        .bind(KEY)
        .execute(&mut owner)
        .await
        .unwrap();
    assert!(read(&db, project, "sealed").await.is_ok());
    // A process that was given no key.
    assert_eq!(
        cause(read(&database.db, project, "sealed").await),
        Unopened::OtherKey
    );

    // A text that was moved to another step.
    sqlx::query(
        "update step_payloads p set input_sealed = o.input_sealed from step_payloads o
         where p.run_id = 'sealed' and p.step_id = 'model' and o.run_id = 'sealed' and o.step_id = 'tool'",
    )
    .execute(&mut owner)
    .await
    .unwrap();
    assert_eq!(cause(read(&db, project, "sealed").await), Unopened::Damaged);
    assert!(
        read(&db, project, "plain").await.is_ok(),
        "what is in clear is read"
    );
}

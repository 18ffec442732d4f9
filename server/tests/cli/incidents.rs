//! What left its baseline, as the command line says it: without a server, of the demo's month.

use serde_json::json;

use crate::program::Folder;

#[test]
fn the_demos_incident_is_listed_correlated_explained_and_watched() {
    let folder = Folder::new();
    let seed = folder.run(&["seed", "--days", "30", "--runs", "320"]);
    assert_eq!(seed.code, 0, "{seed:?}");

    // Whoever asks first has it judged. The predecessor's name is another for the same.
    let listed = folder.run(&["incidents", "--json"]).json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed:#}");
    assert_eq!(listed["left_out_before"], json!(null));
    assert_eq!(folder.run(&["anomalies", "--json"]).json(), listed);
    let one = &listed["items"][0];
    assert_eq!(one["key"], "prod-frontend");
    let id = one["id"].as_str().unwrap();
    let table = folder.run(&["incidents"]).stdout;
    assert!(
        table.contains("prod-frontend") && table.contains("PR 2"),
        "{table}"
    );

    let correlated = folder.run(&["correlate", "--json"]).json();
    let candidates = correlated["items"][0]["attributions"].as_array().unwrap();
    let confidence = |id: &str| {
        let own = candidates.iter().find(|candidate| candidate["deploy_id"] == id);
        own.map(|own| own["confidence"].as_f64().unwrap())
    };
    assert_eq!(
        ["demo-pr-1", "demo-pr-2", "demo-pr-3"].map(confidence),
        [Some(0.05), Some(0.55), Some(0.05)],
        "{correlated:#}"
    );
    let text = folder.run(&["correlate"]).stdout;
    assert!(text.contains("0.55") && text.contains("cleared: "), "{text}");

    let short = &id[24..];
    let explained = folder.run(&["explain", short, "--json"]).json();
    assert_eq!(explained["id"], id);
    assert_eq!(explained["attributions"], correlated["items"][0]["attributions"]);
    let text = folder.run(&["explain", short]).stdout;
    assert!(
        text.contains("onset between") && text.contains("OF THE CHANGE"),
        "{text}"
    );
    assert_eq!(folder.run(&["explain", "nonesuch"]).code, 4);

    // It went on within the week that is watched.
    let watched = folder.run(&["watch", "--once", "--json"]).stdout;
    assert_eq!(watched.lines().count(), 1, "{watched}");
    assert!(watched.contains(id), "{watched}");
}

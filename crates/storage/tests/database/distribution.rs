//! The migrated schema could be spread over several Postgres: what Citus asks of each kind of table holds.

use std::collections::BTreeSet;

use storage::distribution::{self, Distribution, TABLES};

use crate::support::TestDatabase;

/// Tables of ours that are no partition of another.
const OURS: &str = "c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') \
                    and not c.relispartition and c.relname <> '_sqlx_migrations'";

fn of(table: &str) -> Distribution {
    let listed = TABLES.iter().find(|(name, _, _)| *name == table);
    listed
        .unwrap_or_else(|| panic!("{table}: say in src/distribution.rs where it is"))
        .1
}

/// Rows of two texts, asked of a migrated database.
async fn pairs(database: &TestDatabase, sql: &str) -> Vec<(String, String)> {
    sqlx::query_as(sqlx::AssertSqlSafe(sql.to_owned()))
        .fetch_all(&mut database.superuser().await)
        .await
        .unwrap()
}

#[tokio::test]
async fn every_table_says_where_it_is() {
    let database = TestDatabase::new().await;
    let there = pairs(
        &database,
        &format!("select c.relname::text, '' from pg_class c where {OURS}"),
    )
    .await;
    let there: BTreeSet<String> = there.into_iter().map(|(name, _)| name).collect();
    let listed: BTreeSet<String> = TABLES.iter().map(|(name, _, _)| (*name).to_owned()).collect();
    assert_eq!(listed.len(), TABLES.len(), "a table is listed twice");
    assert_eq!(there, listed, "src/distribution.rs");
}

#[tokio::test]
async fn what_is_spread_is_found_by_its_project() {
    let database = TestDatabase::new().await;
    let mut problems = Vec::new();
    let column = format!(
        "select c.relname::text, coalesce(a.atttypid::regtype::text || case when a.attnotnull then '' else ', may be null' end, 'none')
         from pg_class c left join pg_attribute a on a.attrelid = c.oid and a.attname = 'project_id'
         where {OURS}"
    );
    for (table, project_id) in pairs(&database, &column).await {
        if of(&table) == Distribution::ByProject && project_id != "uuid" {
            problems.push(format!("{table}: its project_id is {project_id}"));
        }
    }
    // A node knows only its own rows, so it can keep only what begins with the project unique.
    let unique = format!(
        "select c.relname::text, coalesce(a.attname::text, 'an expression')
         from pg_index i join pg_class c on c.oid = i.indrelid
         left join pg_attribute a on a.attrelid = c.oid and a.attnum = i.indkey[0]
         where i.indisunique and {OURS}"
    );
    for (table, first) in pairs(&database, &unique).await {
        if of(&table) == Distribution::ByProject && first != "project_id" {
            problems.push(format!("{table}: a unique index begins with {first}"));
        }
    }
    // What a node would have to ask the coordinator for, or do behind its back.
    let made_by_the_database = format!(
        "select c.relname::text, 'trigger ' || t.tgname from pg_trigger t join pg_class c on c.oid = t.tgrelid
         where not t.tgisinternal and {OURS}
         union all
         select c.relname::text, 'sequence of ' || a.attname from pg_attribute a join pg_class c on c.oid = a.attrelid
         left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
         where (a.attidentity <> '' or pg_get_expr(d.adbin, d.adrelid) like '%nextval%') and {OURS}"
    );
    for (table, what) in pairs(&database, &made_by_the_database).await {
        if of(&table) == Distribution::ByProject {
            problems.push(format!("{table}: {what}"));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Tables whose rows belong to a run: docs/adr/0010.
const OF_RUNS: [&str; 6] = [
    "run_keys",
    "runs",
    "step_conditions",
    "step_events",
    "step_payloads",
    "steps",
];

/// So a project that is larger than a node could be spread by its runs: what is unique is so on the node of its run.
#[tokio::test]
async fn what_belongs_to_a_run_is_unique_within_it() {
    let database = TestDatabase::new().await;
    let unique = format!(
        "select c.relname::text, (select coalesce(string_agg(a.attname::text, ' '), '') from pg_attribute a
           where a.attrelid = c.oid and a.attnum = any (i.indkey::int2[]))
         from pg_index i join pg_class c on c.oid = i.indrelid where i.indisunique and {OURS}"
    );
    let found = pairs(&database, &unique).await;
    for table in OF_RUNS {
        assert_eq!(of(table), Distribution::ByProject, "{table}");
        let keys: Vec<&str> = found
            .iter()
            .filter(|(of, _)| of == table)
            .map(|(_, columns)| columns.as_str())
            .collect();
        assert!(!keys.is_empty(), "{table} has no key");
        for key in keys {
            assert!(key.split(' ').any(|column| column == "run_id"), "{table}: {key}");
        }
    }
}

#[tokio::test]
async fn foreign_keys_stay_on_a_node() {
    use Distribution::{ByProject, Local, Reference};
    let database = TestDatabase::new().await;
    let keys: Vec<(String, String, bool)> = sqlx::query_as(
        "select f.conrelid::regclass::text, f.confrelid::regclass::text,
           exists (select from unnest(f.conkey, f.confkey) k (own, other)
             join pg_attribute a on a.attrelid = f.conrelid and a.attnum = k.own
             join pg_attribute b on b.attrelid = f.confrelid and b.attnum = k.other
             where a.attname = 'project_id' and b.attname = 'project_id')
         from pg_constraint f where f.contype = 'f' and f.conparentid = 0",
    )
    .fetch_all(&mut database.superuser().await)
    .await
    .unwrap();
    assert!(keys.len() > 20, "{keys:?}");
    for (table, to, with_project) in keys {
        let fits = match (of(&table), of(&to)) {
            // Both rows are of one project, so on one node.
            (ByProject, ByProject) => with_project,
            (_, Reference) | (Local, Local) => true,
            (ByProject | Reference, Local) | (Reference | Local, ByProject) => false,
        };
        assert!(fits, "{table} refers to {to}, which may be on another node");
    }
}

#[test]
fn the_guide_to_scale_has_the_same_table() {
    let guide = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/scale.md")).unwrap();
    let table = distribution::markdown_table();
    assert!(
        guide.contains(table.trim()),
        "docs/scale.md must have this table:\n{table}"
    );
}

//! Look-ups in a project for models: read-only, bounded, and of one project alone. An investigation, a chat and MCP's
//! clients call the same ones.
//!
//! **Invariants:** a tool changes nothing. All it reads of the database it reads in a snapshot of the project, which
//! row-level security holds to that project. What it answers is data that others wrote, and whoever shows it to a model
//! fences it.

mod arguments;
mod calls;
mod deploys;
mod github;
mod incidents;
mod list;
mod runs;

use std::fmt;

use domain::{ProjectId, Timestamp};
use futures::future::BoxFuture;
use serde_json::{Value, json};
use storage::{Db, Snapshot};

use crate::outbound::Outbound;
use crate::secrets::Secrets;
use arguments::Arguments;
pub use arguments::{Kind, Parameter};
pub(crate) use incidents::summary as incident_summary;
pub use list::TOOLS;

/// The longest answer of a tool, in bytes.
pub const MAX_CONTENT_BYTES: usize = 24_000;

/// A look-up.
pub struct Tool {
    pub name: &'static str,
    /// What it says and when to use it, for a model.
    pub description: &'static str,
    pub parameters: &'static [Parameter],
    run: for<'a> fn(&'a Call<'a>) -> BoxFuture<'a, Result<Answer, ToolError>>,
}

impl fmt::Debug for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tool")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What a look-up found.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// In one line, for people.
    pub line: String,
    pub data: Value,
}

impl Answer {
    fn new(line: impl Into<String>, data: Value) -> Self {
        Self {
            line: line.into(),
            data,
        }
    }

    /// The data as a model reads it, at most [`MAX_CONTENT_BYTES`]; what is cut is said.
    pub fn content(&self) -> String {
        let text = self.data.to_string();
        if text.len() <= MAX_CONTENT_BYTES {
            return text;
        }
        let kept = text
            .get(..text.floor_char_boundary(MAX_CONTENT_BYTES))
            .unwrap_or_default();
        let left_out = text.len() - kept.len();
        format!("{kept}\n(cut here: {left_out} bytes left out; ask for less)")
    }
}

/// Why a look-up found nothing. The words say what to do instead.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// What was asked makes no sense, or there is no such thing.
    #[error("{0}")]
    Asked(String),
    /// Something else does not answer.
    #[error("{0}")]
    Elsewhere(String),
    #[error("The database does not answer, or took too long; ask for a shorter time or try again")]
    Database(#[source] storage::Error),
}

impl From<storage::Error> for ToolError {
    fn from(cause: storage::Error) -> Self {
        match cause {
            storage::Error::NotFound => Self::Asked("There is no such thing in this project".to_owned()),
            other => Self::Database(other),
        }
    }
}

/// What tools read with. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Toolbox {
    pub db: Db,
    pub secrets: Secrets,
    pub outbound: Outbound,
}

/// One look-up that is under way.
struct Call<'a> {
    toolbox: &'a Toolbox,
    project: ProjectId,
    arguments: Arguments,
    now: Timestamp,
}

impl Call<'_> {
    async fn snapshot(&self) -> Result<Snapshot, ToolError> {
        Ok(self.toolbox.db.snapshot(self.project).await?)
    }
}

impl Tool {
    /// Its arguments as a JSON schema.
    pub fn schema(&self) -> Value {
        let properties: serde_json::Map<String, Value> = self
            .parameters
            .iter()
            .map(|parameter| (parameter.name.to_owned(), parameter.schema()))
            .collect();
        let required: Vec<&str> = self
            .parameters
            .iter()
            .filter(|parameter| parameter.is_required)
            .map(|parameter| parameter.name)
            .collect();
        json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
    }
}

impl Toolbox {
    /// Looks something up in a project.
    pub async fn call(
        &self,
        project: ProjectId,
        name: &str,
        arguments: &Value,
        now: Timestamp,
    ) -> Result<Answer, ToolError> {
        let Some(tool) = TOOLS.iter().find(|tool| tool.name == name) else {
            let names: Vec<&str> = TOOLS.iter().map(|tool| tool.name).collect();
            return Err(ToolError::Asked(format!(
                "There is no such tool; the tools are {}",
                names.join(", ")
            )));
        };
        let arguments = Arguments::read(tool.parameters, arguments).map_err(ToolError::Asked)?;
        let call = Call {
            toolbox: self,
            project,
            arguments,
            now,
        };
        let answered = (tool.run)(&call).await;
        if let Err(ToolError::Database(cause)) = &answered {
            tracing::warn!(tool = tool.name, project.id = %project, error = ?cause, "a look-up failed");
        }
        answered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_describes_itself_and_only_reads() {
        let mut names: Vec<&str> = TOOLS.iter().map(|tool| tool.name).collect();
        for tool in TOOLS {
            assert!(tool.description.len() > 40, "{}", tool.name);
            let schema = tool.schema();
            assert_eq!(schema["type"], "object", "{}", tool.name);
            for parameter in tool.parameters {
                assert!(
                    schema["properties"][parameter.name]["description"].is_string(),
                    "{} {}",
                    tool.name,
                    parameter.name
                );
            }
            jsonschema::validator_for(&schema).unwrap();
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TOOLS.len());
    }

    #[test]
    fn a_long_answer_is_cut_and_says_so() {
        let long = Answer::new("x", json!("é".repeat(MAX_CONTENT_BYTES)));
        let content = long.content();
        assert!(
            content.len() < MAX_CONTENT_BYTES + 100 && content.contains("(cut here: "),
            "{}",
            content.len()
        );
        assert_eq!(Answer::new("x", json!({ "a": 1 })).content(), "{\"a\":1}");
    }
}

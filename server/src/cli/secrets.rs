//! `plumbline secrets`.

use std::path::PathBuf;

use clap::Subcommand;
use storage::audit::COMMAND_LINE;
use storage::integrations::{SecretOf, StoredSecret};

use super::{Exit, output, with_database};
use crate::clock;
use crate::config::Config;
use crate::models::settings::key_field;
use crate::secrets::{KEY_FIELD, NoRandomness, OpenError, Secrets};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Seal every stored secret with another key
    ///
    /// Stop the server, run this, give the server the new key, start it. A server that still has the old key can use no
    /// secret from then on.
    Rotate {
        /// File with the new key, 64 hexadecimal digits; `openssl rand -hex 32` makes them
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
}

/// Why a secret could not be sealed again.
#[derive(Debug, thiserror::Error)]
enum Unsealable {
    #[error("{field} can't be opened: {cause}")]
    Closed { field: String, cause: OpenError },
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

pub(super) async fn run(config: &Config, command: Command) -> Result<(), Exit> {
    let Command::Rotate { to } = command;
    let (old, new) = (Secrets::of(config)?, Secrets::of_file(&to)?);
    let seal = |stored: &StoredSecret| -> Result<Vec<u8>, Unsealable> {
        let field = match &stored.of {
            SecretOf::Integration { kind, name } => format!("{kind}.{name}"),
            SecretOf::ModelProvider(provider) => key_field(provider),
            SecretOf::Payloads => KEY_FIELD.to_owned(),
        };
        let text = old.open(stored.project_id, &field, &stored.sealed);
        // What has the new key already, because a rotation was run before, keeps it.
        let text = text.or_else(|cause| {
            new.open(stored.project_id, &field, &stored.sealed)
                .map_err(|_neither| cause)
        });
        let text = text.map_err(|cause| Unsealable::Closed {
            field: field.clone(),
            cause,
        })?;
        Ok(new.seal(stored.project_id, &field, &text)?)
    };
    with_database(config, async |db| {
        let resealed = storage::integrations::reseal(db, &seal, COMMAND_LINE, clock::now()).await?;
        let count = resealed?;
        output::note(&format!(
            "{count} secrets are sealed with the key in {}; give it to the server before it starts",
            to.display()
        ));
        Ok(())
    })
    .await
}

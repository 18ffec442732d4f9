//! Caches between batches, so that most steps are processed without reading from the database.

use domain::ProjectId;
use storage::partitions::Weeks;

use super::cardinality::Cardinality;
use super::first_seen::FirstSeen;
use crate::alerts::Alerts;
use crate::enabled_detectors::Detectors;
use crate::key_limits::KeyLimits;
use crate::payload_keys::PayloadKeys;
use crate::prices::Prices;
use crate::prompts::PromptTexts;
use crate::redaction::Redaction;
use crate::scoring::Scoring;

/// Cached rules, histories, prices and templates of all projects. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ProjectCaches {
    /// Rules and histories.
    pub scoring: Scoring,
    /// What models cost.
    pub prices: Prices,
    /// Which templates are stored.
    pub prompts: PromptTexts,
    /// Which values the sums of an hour have.
    pub cardinality: Cardinality,
    /// Which models, steps and releases were named before.
    pub first_seen: FirstSeen,
    /// Which weeks have their partitions.
    pub weeks: Weeks,
    /// Who is told of what.
    pub alerts: Alerts,
    /// Whose runs are judged.
    pub detectors: Detectors,
    /// What keys may use; nothing where no server runs.
    pub key_limits: KeyLimits,
    /// What is hidden; none where all that is written is made up.
    pub redaction: Option<Redaction>,
    /// What is sealed, and with what; none where all that is written is made up.
    pub payload_keys: Option<PayloadKeys>,
}

impl ProjectCaches {
    /// Nothing is read before a project is seen.
    pub fn new(db: &storage::Db, texts: Option<(Redaction, PayloadKeys)>) -> Self {
        let (redaction, payload_keys) = texts.unzip();
        Self {
            scoring: Scoring::new(db.clone()),
            prices: Prices::new(db.clone()),
            prompts: PromptTexts::default(),
            cardinality: Cardinality::default(),
            first_seen: FirstSeen::default(),
            weeks: Weeks::new(db),
            alerts: Alerts::new(db.clone()),
            detectors: Detectors::new(db.clone()),
            key_limits: KeyLimits::default(),
            redaction,
            payload_keys,
        }
    }

    /// Invalidates what a project's settings say.
    pub fn invalidate(&self, project: ProjectId) {
        self.scoring.invalidate_rules(project);
        self.prices.invalidate(project);
        self.alerts.invalidate(project);
        self.detectors.invalidate(project);
        if let Some(redaction) = &self.redaction {
            redaction.invalidate(project);
        }
        if let Some(keys) = &self.payload_keys {
            keys.invalidate(project);
        }
    }

    /// Invalidates everything.
    pub fn invalidate_all(&self) {
        self.scoring.invalidate_all();
        self.prices.invalidate_all();
        self.alerts.invalidate_all();
        self.detectors.invalidate_all();
        if let Some(redaction) = &self.redaction {
            redaction.invalidate_all();
        }
        if let Some(keys) = &self.payload_keys {
            keys.invalidate_all();
        }
        self.prompts.invalidate_all();
        self.first_seen.invalidate_all();
    }
}

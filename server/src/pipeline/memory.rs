//! What the pipeline remembers between batches, so that most steps are worked out without asking the database.

use domain::ProjectId;
use storage::partitions::Weeks;

use super::cardinality::Cardinality;
use crate::prices::Prices;
use crate::prompts::PromptTexts;
use crate::scoring::Scoring;

/// Rules, histories, prices and templates of all projects. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Memory {
    /// Rules and histories.
    pub scoring: Scoring,
    /// What models cost.
    pub prices: Prices,
    /// Which templates are stored.
    pub prompts: PromptTexts,
    /// Which values the sums of an hour have.
    pub cardinality: Cardinality,
    /// Which weeks have their partitions.
    pub weeks: Weeks,
}

impl Memory {
    /// Nothing is read before a project is seen.
    pub fn new(db: &storage::Db) -> Self {
        Self {
            scoring: Scoring::new(db.clone()),
            prices: Prices::new(db.clone()),
            prompts: PromptTexts::default(),
            cardinality: Cardinality::default(),
            weeks: Weeks::new(db),
        }
    }

    /// Forgets what a project's settings say.
    pub fn forget(&self, project: ProjectId) {
        self.scoring.forget_rules(project);
        self.prices.forget(project);
    }

    /// Forgets everything.
    pub fn forget_all(&self) {
        self.scoring.forget_all();
        self.prices.forget_all();
        self.prompts.forget_all();
    }
}

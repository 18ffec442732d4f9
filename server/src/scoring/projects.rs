//! Which projects' scoring is in memory: those that were used last, within a bound on their bytes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

use domain::ProjectId;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use super::{Project, lock};

/// What all projects' histories and runs may take in memory.
const MAX_BYTES: u64 = 64 << 20;
/// What a project takes beside its own content: its places in maps.
const PLACE_BYTES: usize = 512;

/// A project that is evicted is read again when it has its next step. As long as it is in use, it stays the same
/// one, evicted or not: what a batch that is under way has scored must not be lost on another one.
#[derive(Debug)]
pub(super) struct Projects {
    latest: Cache<ProjectId, Arc<Project>>,
    in_use: Mutex<HashMap<ProjectId, Weak<Project>>>,
}

impl Default for Projects {
    fn default() -> Self {
        Self::with_capacity(MAX_BYTES)
    }
}

impl Projects {
    fn with_capacity(bytes: u64) -> Self {
        Self {
            latest: Cache::builder()
                .max_capacity(bytes)
                .eviction_policy(EvictionPolicy::lru())
                .weigher(|_, project: &Arc<Project>| {
                    u32::try_from(project.lock().size_bytes() + PLACE_BYTES).unwrap_or(u32::MAX)
                })
                .build(),
            in_use: Mutex::default(),
        }
    }

    /// The project as it is in memory, else a new one of which nothing has been read.
    pub(super) fn of(&self, id: ProjectId) -> Arc<Project> {
        if let Some(project) = self.latest.get(&id) {
            return project;
        }
        let project = {
            let mut in_use = lock(&self.in_use);
            match in_use.get(&id).and_then(Weak::upgrade) {
                Some(project) => project,
                None => {
                    // Twice as many as there can be: looking through them costs a project nothing, then.
                    if in_use.len() >= 2 * usize::try_from(self.latest.entry_count()).unwrap_or(0) + 64 {
                        in_use.retain(|_, project| project.strong_count() > 0);
                    }
                    let project = Arc::<Project>::default();
                    in_use.insert(id, Arc::downgrade(&project));
                    project
                }
            }
        };
        self.latest.insert(id, Arc::clone(&project));
        project
    }

    /// The project, if it is in memory.
    pub(super) fn if_known(&self, id: ProjectId) -> Option<Arc<Project>> {
        lock(&self.in_use).get(&id).and_then(Weak::upgrade)
    }

    /// All that are in memory.
    pub(super) fn all(&self) -> Vec<Arc<Project>> {
        lock(&self.in_use).values().filter_map(Weak::upgrade).collect()
    }

    /// Takes note of how much a project has grown to.
    pub(super) fn weigh(&self, id: ProjectId, project: &Arc<Project>) {
        self.latest.insert(id, Arc::clone(project));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project_id(n: usize) -> ProjectId {
        format!("01890000-0000-7000-8000-{n:012}").parse().unwrap()
    }

    #[test]
    fn the_least_recently_used_project_is_evicted_unless_in_use() {
        let projects = Projects::with_capacity(100 * 2_048);
        let used = projects.of(project_id(0));
        for n in 1..2_000 {
            projects.of(project_id(n));
        }
        projects.latest.run_pending_tasks();
        let known = projects.all().len();
        assert!((50..400).contains(&known), "{known}");
        assert!(projects.if_known(project_id(1)).is_none());
        assert!(Arc::ptr_eq(&used, &projects.of(project_id(0))));
        assert!(Arc::ptr_eq(
            &projects.of(project_id(1_999)),
            &projects.of(project_id(1_999))
        ));
    }
}

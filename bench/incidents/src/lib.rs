//! How well the engine finds incidents and names their causes, on made-up ones of known cause; beside simpler rules.
//!
//! Seeds of training, validation and test are apart, and the test has mechanisms that training never saw.

pub mod baselines;
pub mod convert;
pub mod fit;
pub mod hours;
pub mod outcome;
pub mod plot;
pub mod report;

use std::thread;

/// Where the seeds of each set begin; none has more than a hundred thousand.
pub const TRAIN: u64 = 1_000_000;
/// For choosing the temperature and the detector's constants.
pub const VALIDATION: u64 = 2_000_000;
/// Looked at last: the seeds from 3,000,000 on were, while an earlier version was made.
pub const TEST: u64 = 5_000_000;
/// What an ordinary test judges, to notice a loss.
pub const REGRESSION: u64 = 7_000_000;
/// Projects in which nothing happens; those from 4,000,000 on were looked at.
pub const QUIET: u64 = 6_000_000;
/// The same, to look at.
pub const QUIET_VALIDATION: u64 = 4_000_000;

/// How many threads there are to work with: as many as cores, unless somebody asks for fewer.
pub fn threads(asked: Option<u64>) -> u64 {
    let cores = thread::available_parallelism().map_or(2, usize::from) as u64;
    asked.unwrap_or(cores).clamp(1, cores)
}

/// `work` for each seed, on so many threads, in the order of the seeds.
pub fn in_parallel<T: Send>(threads: u64, from: u64, count: u64, work: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let work = &work;
    let mut parts: Vec<Vec<(u64, T)>> = Vec::new();
    thread::scope(|scope| {
        let handles: Vec<_> = (0..threads)
            .map(|thread| {
                scope.spawn(move || {
                    let seeds = (from..from + count).filter(move |seed| seed % threads == thread);
                    seeds.map(|seed| (seed, work(seed))).collect::<Vec<_>>()
                })
            })
            .collect();
        for handle in handles {
            match handle.join() {
                Ok(part) => parts.push(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    let mut all: Vec<(u64, T)> = parts.into_iter().flatten().collect();
    all.sort_by_key(|(seed, _)| *seed);
    all.into_iter().map(|(_, found)| found).collect()
}

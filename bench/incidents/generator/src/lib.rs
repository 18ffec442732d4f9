//! Made-up traffic of programs that call language models, and incidents whose cause is known.
//!
//! Nothing here knows how incidents are detected: traffic is simulated call by call (in strata where there are very
//! many), from families of distributions that no detector was told of, and added up by the hour as a database would.
//!
//! The figures of the traffic follow public traces of real model traffic (ServeGen): hourly volume that varies far more
//! than chance, with a day, a week and a memory; most series small; token counts that drift.

mod causes;
mod likelihood;
mod random;
mod scenario;
mod traffic;
mod world;

pub use causes::{Cause, Mechanism, Null};
pub use likelihood::{Ratio, ratios};
pub use random::Random;
pub use scenario::{
    Cell, Deploy, FirstSeen, HELD_OUT, MinuteCell, Neighbour, Options, Rate, ReleaseCell, Scenario,
    SeriesName, Touched, Truth, quiet, scenario,
};

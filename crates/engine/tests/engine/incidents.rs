//! Incidents from made-up weeks: what opens one, what does not, and whose doing it was.

mod corpus;
mod demo;
mod made_up;
mod properties;
mod standing;

//! How many runs there are in an hour.

use crate::random::Random;

/// The volume of one key.
#[derive(Clone, Debug)]
pub(crate) struct Traffic {
    /// Runs an hour, on average over a weekday.
    pub(crate) base: f64,
    /// By hour of the day, mean 1.
    profile: [f64; 24],
    weekend: f64,
    /// Standard deviation of the logarithm, and how much of it lasts into the next hour.
    noise: f64,
    memory: f64,
    state: f64,
    burst_chance: f64,
    /// Growth of the logarithm a week.
    trend: f64,
}

impl Traffic {
    pub(crate) fn new(random: &mut Random, base: f64) -> Self {
        let ratio = (1.9 + 0.9 * random.normal()).clamp(0.2, 4.4);
        let (peak, second) = (random.between(0.0, 24.0), random.between(-0.3, 0.3));
        let mut profile = [0.0; 24];
        for (hour, value) in profile.iter_mut().enumerate() {
            let angle = std::f64::consts::TAU * (hour as f64 - peak) / 24.0;
            *value = (ratio / 2.0 * angle.cos() + second * (2.0 * angle).cos()).exp();
        }
        let mean = profile.iter().sum::<f64>() / 24.0;
        profile.iter_mut().for_each(|value| *value /= mean);
        Self {
            base,
            profile,
            weekend: random.between(0.35, 1.05),
            noise: (0.26 * (0.5 * random.normal()).exp()).clamp(0.08, 0.9),
            memory: random.between(0.4, 0.75),
            state: 0.0,
            burst_chance: if random.chance(0.4) {
                random.between(0.0, 0.02)
            } else {
                0.0
            },
            trend: if random.chance(0.3) {
                0.06 * random.normal()
            } else {
                0.0
            },
        }
    }

    /// Runs to be expected of the next hour.
    pub(crate) fn next(&mut self, random: &mut Random, hour: usize, weekday: usize) -> f64 {
        // Tails heavier than a normal's: a mixture.
        let wide = if random.chance(0.06) { 2.2 } else { 0.9 };
        let shock = self.noise * wide * (1.0 - self.memory * self.memory).sqrt() * random.normal();
        self.state = self.memory * self.state + shock;
        let burst = if random.chance(self.burst_chance) {
            random.between(1.5, 3.5)
        } else {
            1.0
        };
        let week = if weekday >= 5 { self.weekend } else { 1.0 };
        let trend = self.trend * hour as f64 / 168.0;
        self.base * self.profile[hour % 24] * week * burst * (self.state + trend).exp()
    }

    /// The part of the day's volume in an hour of the day.
    pub(crate) fn profile(&self, hour: usize) -> f64 {
        self.profile[hour % 24]
    }
}

//! What can go wrong, and whose doing it is.

/// What a guilty deploy did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mechanism {
    ModelSwitch,
    LongerPrompt,
    LongerOutput,
    RetryLoop,
    CacheCollapse,
    ExtraStep,
    Slower,
    Errors,
    Format,
    /// Kept out of training: a parameter that makes answers longer, with the same template.
    Reasoning,
    /// Kept out of training: every step of a run is called more often.
    FanOut,
    /// Kept out of training: a shorter timeout fails the slow calls.
    Timeout,
}

impl Mechanism {
    pub const TRAINED: [Self; 9] = [
        Self::ModelSwitch,
        Self::LongerPrompt,
        Self::LongerOutput,
        Self::RetryLoop,
        Self::CacheCollapse,
        Self::ExtraStep,
        Self::Slower,
        Self::Errors,
        Self::Format,
    ];
    pub const HELD_OUT: [Self; 3] = [Self::Reasoning, Self::FanOut, Self::Timeout];
}

/// What is no deploy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Null {
    Growth,
    Campaign,
    BatchJob,
    Price,
    Drift,
    Outage,
    UserMix,
    Flag,
    /// A deploy that nobody recorded.
    Unrecorded,
}

impl Null {
    pub const ALL: [Self; 9] = [
        Self::Growth,
        Self::Campaign,
        Self::BatchJob,
        Self::Price,
        Self::Drift,
        Self::Outage,
        Self::UserMix,
        Self::Flag,
        Self::Unrecorded,
    ];

    /// The word for it in the product; several where either is right.
    pub const fn kinds(self) -> &'static [&'static str] {
        match self {
            Self::Growth | Self::Campaign | Self::BatchJob => &["traffic"],
            Self::Price => &["price"],
            Self::Drift | Self::Outage => &["provider_drift"],
            Self::UserMix => &["user_mix"],
            Self::Flag => &["configuration"],
            Self::Unrecorded => &["configuration", "unknown"],
        }
    }
}

/// Whose doing an incident is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    Deploy { index: usize, mechanism: Mechanism },
    Null(Null),
}

//! What things in a chart are. The style sheet gives each role its colour.

/// Declares the roles with their classes.
macro_rules! roles {
    ($($(#[$doc:meta])* $role:ident => $class:literal),+ $(,)?) => {
        /// What something in a chart is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Role {
            $($(#[$doc])* $role),+
        }

        impl Role {
            /// Every role, in the order of declaration.
            #[cfg(any(target_arch = "wasm32", test))]
            pub(super) const ALL: &[Self] = &[$(Self::$role),+];

            /// Its class, which sets `--c`.
            pub(crate) const fn class(self) -> &'static str {
                match self {
                    $(Self::$role => $class),+
                }
            }
        }
    };
}

roles! {
    /// Horizontal lines behind the marks.
    Grid => "ch-grid",
    /// The zero line.
    Axis => "ch-axis",
    /// Texts at the axes.
    Text => "ch-text",
    /// Texts that go where there is little room.
    MinorText => "tick-minor",
    /// A limit as it is: dashed.
    InForce => "ch-in-force",
    /// A limit that is tried.
    AsTried => "ch-as-tried",
    /// What lies between the two.
    Between => "ch-between",
    /// Between what values usually lie: a band.
    Usual => "ch-usual",
    /// An alert that stays one: a disc.
    Stays => "ch-stays",
    /// An alert that would go quiet: a ring.
    Quiet => "ch-quiet",
    /// The same, though it is marked real.
    QuietReal => "ch-quiet-real",
    /// Never an alert: a small dot.
    Below => "ch-below",
    /// What would become an alert: a disc in the colour of marks.
    Mark => "ch-mark",
    Layer1 => "layer-1",
    Layer2 => "layer-2",
    Layer3 => "layer-3",
    Layer4 => "layer-4",
    Layer5 => "layer-5",
    /// The first series without a meaning of its own.
    Series1 => "c1",
    Series2 => "c2",
    Series3 => "c3",
    Series4 => "c4",
    Series5 => "c5",
    Series6 => "c6",
    Series7 => "c7",
    /// The rest.
    Rest => "c8",
}

impl Role {
    /// A layer of the score, 1 to 5.
    pub(crate) const fn layer(layer: u8) -> Self {
        match layer {
            ..=1 => Self::Layer1,
            2 => Self::Layer2,
            3 => Self::Layer3,
            4 => Self::Layer4,
            5.. => Self::Layer5,
        }
    }

    /// A series without a meaning of its own, counted from 0; those after the seventh are "the rest".
    pub(crate) const fn series(index: usize) -> Self {
        match index {
            0 => Self::Series1,
            1 => Self::Series2,
            2 => Self::Series3,
            3 => Self::Series4,
            4 => Self::Series5,
            5 => Self::Series6,
            6 => Self::Series7,
            7.. => Self::Rest,
        }
    }

    /// Whether its lines are dashed.
    #[cfg(target_arch = "wasm32")]
    pub(super) fn is_dashed(self) -> bool {
        self == Self::InForce
    }

    /// Discs, rings and dots: the radius in CSS pixels, and whether it is filled.
    pub(super) const fn dot(self) -> (f64, bool) {
        match self {
            Self::Stays | Self::Mark => (4.0, true),
            Self::Quiet | Self::QuietReal => (3.5, false),
            _ => (1.5, true),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_role_has_a_class_of_its_own() {
        let classes: BTreeSet<_> = Role::ALL.iter().map(|role| role.class()).collect();
        assert_eq!(classes.len(), Role::ALL.len());
    }

    #[test]
    fn layers_and_series_end_where_the_colours_do() {
        assert_eq!(Role::layer(0), Role::Layer1);
        assert_eq!(Role::layer(1).class(), "layer-1");
        assert_eq!(Role::layer(9).class(), "layer-5");
        assert_eq!(Role::series(0).class(), "c1");
        assert_eq!(Role::series(99).class(), "c8");
    }
}

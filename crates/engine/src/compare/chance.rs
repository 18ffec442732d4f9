//! How sure a change is where its standard error is itself estimated from few calls (Student's distribution), and how sure
//! it has to be where many are looked at (Bonferroni's correction).

/// How often a page of changes that are all chance may name one.
const BY_CHANCE: f64 = 0.005;
/// With so many degrees of freedom Student's distribution is the normal one.
const MANY: f64 = 1e6;

/// Standard errors of a Student distribution as the standard errors of a normal one that are as rare (Wallace 1959).
pub(super) fn as_normal(student: f64, freedom: f64) -> f64 {
    if is_normal(freedom) {
        return student;
    }
    let magnitude = wallace(freedom) * (freedom * (student * student / freedom).ln_1p()).sqrt();
    magnitude.copysign(student)
}

/// The other way round.
pub(super) fn as_student(normal: f64, freedom: f64) -> f64 {
    if is_normal(freedom) {
        return normal;
    }
    let scaled = normal / wallace(freedom);
    let magnitude = (freedom * (scaled * scaled / freedom).exp_m1()).sqrt();
    magnitude.copysign(normal)
}

fn wallace(freedom: f64) -> f64 {
    (8.0 * freedom + 1.0) / (8.0 * freedom + 3.0)
}

fn is_normal(freedom: f64) -> bool {
    freedom.is_nan() || freedom > MANY
}

/// The degrees of freedom of the sum of two errors, each given with its own (Welch and Satterthwaite).
pub(super) fn freedom_of(a: (f64, f64), b: (f64, f64)) -> f64 {
    let variance = a.0 * a.0 + b.0 * b.0;
    let part = |(error, freedom): (f64, f64)| error.powi(4) / freedom;
    variance * variance / (part(a) + part(b))
}

/// Standard errors beyond which one of so many changes is named. The bound `exp(-z²/2) / 2` of the normal tail, turned
/// round: a little more than needed, never less.
pub(super) fn errors_to_name(among: usize) -> f64 {
    (2.0 * (among.max(1) as f64 / (2.0 * BY_CHANCE)).ln()).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_degrees_of_freedom_need_more_standard_errors() {
        let check = |freedom: f64, expected: f64| {
            let student = as_student(1.959_964, freedom);
            assert!(
                (student / expected - 1.0).abs() < 0.05,
                "{freedom}: {student} is not {expected}"
            );
            assert!((as_normal(-student, freedom) + 1.959_964).abs() < 1e-9);
        };
        // From the tables of Student's distribution.
        check(2.0, 4.303);
        check(5.0, 2.571);
        check(9.0, 2.262);
        check(30.0, 2.042);
        check(f64::INFINITY, 1.960);
    }

    #[test]
    fn the_less_sure_side_counts() {
        assert!((freedom_of((1.0, 9.0), (1.0, 9.0)) - 18.0).abs() < 1e-9);
        assert!((freedom_of((1.0, 2.0), (0.01, 900.0)) - 2.0).abs() < 0.01);
        assert!(as_normal(3.0, freedom_of((0.1, f64::INFINITY), (0.1, f64::INFINITY))) > 2.999);
    }

    #[test]
    fn the_more_are_looked_at_the_surer_one_has_to_be() {
        let errors = [1, 24, 240].map(errors_to_name);
        assert!(errors[0] > 2.6 && errors[0] < 3.1, "{errors:?}");
        assert!(errors[1] > 3.9 && errors[1] < 4.0, "{errors:?}");
        assert!(errors[2] > 4.4 && errors[2] < 4.6, "{errors:?}");
    }
}

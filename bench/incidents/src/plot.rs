//! The reliability plot: how often what was said to be so likely was right.

/// A stretch of probabilities.
#[derive(Clone, Copy, Debug)]
pub struct Bin {
    pub said: f64,
    pub right: f64,
    pub count: usize,
}

/// As many pairs of (said, right) in each bin.
pub fn bins(pairs: &[(f64, bool)], count: usize) -> Vec<Bin> {
    let mut sorted = pairs.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let n = sorted.len();
    (0..count)
        .filter_map(|bin| {
            let part = sorted
                .get(n * bin / count..n * (bin + 1) / count)
                .filter(|part| !part.is_empty())?;
            let size = part.len() as f64;
            Some(Bin {
                said: part.iter().map(|(said, _)| said).sum::<f64>() / size,
                right: part.iter().filter(|(_, right)| *right).count() as f64 / size,
                count: part.len(),
            })
        })
        .collect()
}

/// Mean distance between what was said and what was right.
pub fn calibration_error(pairs: &[(f64, bool)], count: usize) -> f64 {
    let n = pairs.len().max(1) as f64;
    bins(pairs, count)
        .iter()
        .map(|bin| bin.count as f64 / n * (bin.said - bin.right).abs())
        .sum()
}

/// The picture.
pub fn svg(pairs: &[(f64, bool)]) -> String {
    const SIDE: f64 = 360.0;
    const EDGE: f64 = 48.0;
    let x = |p: f64| EDGE + p * SIDE;
    let y = |p: f64| EDGE / 2.0 + (1.0 - p) * SIDE;
    let mut out = String::new();
    let whole = SIDE + EDGE * 1.5;
    out += &format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {whole} {whole}\" width=\"{whole}\" height=\"{whole}\" font-family=\"system-ui, sans-serif\" font-size=\"11\" role=\"img\">\n<title>Reliability: how often what was said to be so likely was right</title>\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for tick in 0..=5 {
        let p = f64::from(tick) / 5.0;
        out += &format!(
            "<path d=\"M{:.1} {:.1}H{:.1}M{:.1} {:.1}V{:.1}\" stroke=\"#ddd\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{p:.1}</text><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{p:.1}</text>\n",
            x(0.0),
            y(p),
            x(1.0),
            x(p),
            y(0.0),
            y(1.0),
            x(p),
            y(0.0) + 16.0,
            x(0.0) - 6.0,
            y(p) + 4.0
        );
    }
    out += &format!(
        "<path d=\"M{:.1} {:.1}L{:.1} {:.1}\" stroke=\"#888\" stroke-dasharray=\"4 3\"/>\n",
        x(0.0),
        y(0.0),
        x(1.0),
        y(1.0)
    );
    for bin in bins(pairs, 15) {
        let n = bin.count as f64;
        // Wilson's interval of 95 %.
        let (z, p) = (1.96f64, bin.right);
        let middle = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
        let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
        out += &format!(
            "<path d=\"M{:.1} {:.1}V{:.1}\" stroke=\"#1f6feb\" stroke-width=\"1.5\"/><circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3.5\" fill=\"#1f6feb\"/>\n",
            x(bin.said),
            y(middle - half),
            y(middle + half),
            x(bin.said),
            y(bin.right)
        );
    }
    out += &format!(
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">probability that was said</text>\n<text transform=\"translate(12 {:.1}) rotate(-90)\" text-anchor=\"middle\">part that was right</text>\n</svg>\n",
        x(0.5),
        y(0.0) + 34.0,
        y(0.5)
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_right_as_often_as_it_says_has_no_error() {
        let pairs: Vec<(f64, bool)> = (0..1_000).map(|at| (0.25, at % 4 == 0)).collect();
        assert!(calibration_error(&pairs, 10) < 1e-9);
        let sure: Vec<(f64, bool)> = (0..1_000).map(|at| (1.0, at % 4 == 0)).collect();
        assert!((calibration_error(&sure, 10) - 0.75).abs() < 1e-9);
    }
}

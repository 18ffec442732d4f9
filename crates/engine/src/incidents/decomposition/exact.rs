//! Whole numbers that add up to a whole number.

/// The amounts rounded so that they sum to `total`: each is rounded down, and what is left over goes to those that
/// lost most. What rounding can't explain, because `total` is not their sum, goes to the largest.
pub(super) fn whole_parts(amounts: &[f64], total: i64) -> Vec<i64> {
    let mut whole: Vec<i64> = amounts.iter().map(|amount| amount.floor() as i64).collect();
    let sum: i128 = whole.iter().map(|part| i128::from(*part)).sum();
    let mut left = i128::from(total) - sum;
    let mut order: Vec<usize> = (0..amounts.len()).collect();
    let lost = |index: &usize| amounts[*index] - amounts[*index].floor();
    order.sort_by(|a, b| lost(b).total_cmp(&lost(a)).then(a.cmp(b)));
    for index in &order {
        if left <= 0 {
            break;
        }
        whole[*index] = whole[*index].saturating_add(1);
        left -= 1;
    }
    let largest = (0..amounts.len()).max_by(|a, b| amounts[*a].abs().total_cmp(&amounts[*b].abs()));
    if let Some(largest) = largest {
        let rest = i64::try_from(left).unwrap_or(0);
        whole[largest] = whole[largest].saturating_add(rest);
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::whole_parts;

    #[test]
    fn parts_add_up() {
        let check = |amounts: &[f64], total: i64, expected: &[i64]| {
            assert_eq!(whole_parts(amounts, total), expected, "{amounts:?}");
        };
        check(&[0.5, 0.5], 1, &[1, 0]);
        check(&[1.4, 1.4, 1.2], 4, &[2, 1, 1]);
        check(&[-0.6, 2.6], 2, &[-1, 3]);
        check(&[1.0], 1, &[1]);
        check(&[], 3, &[]);
        // A caller's total that differs: the largest carries it.
        check(&[10.0, -2.0], 9, &[11, -2]);
    }
}

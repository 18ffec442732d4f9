//! Many steps in one line: what is drawn when they lie closer than pixels.
//!
//! **Invariant:** wherever a step failed or is critical, something drawn there says so.

/// More calls in flight than this are drawn as an area.
const MAX_LANES: usize = 6;

/// A step on a line, in pixels from the left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Piece {
    pub(crate) from: f64,
    pub(crate) to: f64,
    /// What its colour means: below [`COLOURS`].
    pub(crate) colour: u8,
    pub(crate) is_grave: bool,
}

/// So many colours there are.
pub(crate) const COLOURS: usize = 32;

/// A rectangle of a line: pixels across, shares of the line's height down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Block {
    pub(crate) x: f64,
    pub(crate) width: f64,
    pub(crate) top: f64,
    pub(crate) height: f64,
    pub(crate) colour: u8,
    pub(crate) is_grave: bool,
}

/// The blocks of a line of `width_px`, and how many steps were in flight at most. Pieces beyond its ends are cut there.
pub(crate) fn blocks(pieces: &[Piece], width_px: f64) -> (Vec<Block>, usize) {
    let columns = width_px.ceil().clamp(1.0, 20_000.0) as usize;
    let seen: Vec<Piece> = pieces
        .iter()
        .filter(|piece| piece.to >= 0.0 && piece.from <= width_px)
        .map(|piece| Piece {
            from: piece.from.max(0.0),
            to: piece.to.min(width_px).max(piece.from.max(0.0)),
            ..*piece
        })
        .collect();
    if seen.len() <= columns / 2
        && let Some((lanes, most)) = in_lanes(&seen)
    {
        return (lanes, most);
    }
    in_columns(&seen, columns)
}

/// Each piece by itself, one lane for each call in flight; `None` when there are too many.
fn in_lanes(pieces: &[Piece]) -> Option<(Vec<Block>, usize)> {
    let mut order: Vec<&Piece> = pieces.iter().collect();
    order.sort_by(|a, b| a.from.total_cmp(&b.from));
    let mut ends: Vec<f64> = Vec::new();
    let mut lane_of = Vec::with_capacity(order.len());
    for piece in &order {
        let free = ends.iter().position(|end| *end <= piece.from + 0.01);
        let lane = match free {
            Some(lane) => lane,
            None if ends.len() < MAX_LANES => {
                ends.push(0.0);
                ends.len() - 1
            }
            None => return None,
        };
        ends[lane] = piece.to.max(piece.from + 0.5);
        lane_of.push(lane);
    }
    let most = ends.len().max(1);
    let height = 1.0 / most as f64;
    let drawn = order
        .iter()
        .zip(lane_of)
        .map(|(piece, lane)| {
            let length = piece.to - piece.from;
            // Calls one after the other stay apart: their beats can be counted.
            let width = if length >= 3.0 {
                length - 1.0
            } else {
                length.max(1.0)
            };
            Block {
                x: piece.from,
                width,
                top: lane as f64 * height,
                height: if most > 1 { height * 0.8 } else { 1.0 },
                colour: piece.colour,
                is_grave: piece.is_grave,
            }
        })
        .collect();
    Some((drawn, ends.len()))
}

/// How many were in flight in each column of pixels, neighbours that look alike as one block.
fn in_columns(pieces: &[Piece], columns: usize) -> (Vec<Block>, usize) {
    let mut change = vec![0_i32; columns + 1];
    let mut grave = vec![false; columns];
    let mut colours = vec![[0_u32; COLOURS]; columns.div_ceil(4)];
    for piece in pieces {
        let first = (piece.from as usize).min(columns - 1);
        let last = (piece.to as usize).clamp(first, columns - 1);
        change[first] += 1;
        change[last + 1] -= 1;
        if piece.is_grave {
            grave[first..=last].fill(true);
        }
        let colour = usize::from(piece.colour).min(COLOURS - 1);
        for column in &mut colours[first / 4..=last / 4] {
            column[colour] += 1;
        }
    }
    let main: Vec<u8> = colours
        .iter()
        .map(|counts| {
            let best = (0..COLOURS).max_by_key(|colour| (counts[*colour], COLOURS - colour));
            best.unwrap_or(0) as u8
        })
        .collect();
    let mut in_flight = 0;
    let flights: Vec<i32> = change[..columns]
        .iter()
        .map(|by| {
            in_flight += by;
            in_flight
        })
        .collect();
    let most = flights.iter().copied().max().unwrap_or(0).max(1);
    let mut blocks: Vec<Block> = Vec::new();
    for (column, count) in flights.iter().enumerate().filter(|(_, count)| **count > 0) {
        // Sixteen heights are as many as can be told apart, and neighbours become one.
        let height = (f64::from(*count) / f64::from(most) * 16.0).ceil() / 16.0;
        let next = Block {
            x: column as f64,
            width: 1.0,
            top: 1.0 - height,
            height,
            colour: main[column / 4],
            is_grave: grave[column],
        };
        match blocks.last_mut() {
            Some(last)
                if last.x + last.width >= next.x
                    && (last.height - height).abs() < 1e-9
                    && last.colour == next.colour
                    && last.is_grave == next.is_grave =>
            {
                last.width += 1.0;
            }
            _ => blocks.push(next),
        }
    }
    (blocks, most as usize)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pieces() -> impl Strategy<Value = Vec<Piece>> {
        prop::collection::vec(
            (-50.0f64..350.0, 0.0f64..60.0, 0u8..40, prop::bool::weighted(0.1)),
            0..400,
        )
        .prop_map(|pieces| {
            pieces
                .into_iter()
                .map(|(from, length, colour, is_grave)| Piece {
                    from,
                    to: from + length,
                    colour,
                    is_grave,
                })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn a_failed_step_is_never_hidden_and_nothing_is_made_up(pieces in pieces(), width in 40.0f64..320.0) {
            let (blocks, most) = blocks(&pieces, width);
            let seen = |piece: &&Piece| piece.to >= 0.0 && piece.from <= width;
            for piece in pieces.iter().filter(seen) {
                let middle = (piece.from.max(0.0) + piece.to.min(width)) / 2.0;
                let covers = |block: &&Block| block.x - 1.0 <= middle && middle <= block.x + block.width + 1.0;
                prop_assert!(blocks.iter().any(|b| covers(&b)), "{piece:?} is missing");
                if piece.is_grave {
                    prop_assert!(blocks.iter().any(|b| b.is_grave && covers(&b)), "{piece:?} is hidden");
                }
            }
            for block in &blocks {
                prop_assert!(block.top >= -1e-9 && block.top + block.height <= 1.0 + 1e-9);
                let near = |piece: &Piece| piece.from <= block.x + block.width + 1.0 && piece.to >= block.x - 1.0;
                prop_assert!(pieces.iter().any(near), "{block:?} is nothing");
                if block.is_grave {
                    prop_assert!(pieces.iter().any(|p| p.is_grave && near(p)), "{block:?} did not fail");
                }
            }
            prop_assert!(most <= pieces.len().max(1));
        }
    }

    #[test]
    fn a_hundred_thousand_steps_are_few_blocks() {
        let pieces: Vec<Piece> = (0..100_000)
            .map(|n| Piece {
                from: f64::from(n) / 100.0,
                to: f64::from(n) / 100.0 + 0.4,
                colour: (n % 3) as u8,
                is_grave: n == 54_321,
            })
            .collect();
        let (blocks, most) = blocks(&pieces, 1_000.0);
        assert!(blocks.len() < 300, "{}", blocks.len());
        assert!(most > 6);
        assert_eq!(blocks.iter().filter(|b| b.is_grave).count(), 1);
    }

    #[test]
    fn repeated_calls_keep_their_beats() {
        let beat = |n: i32| Piece {
            from: f64::from(n) * 10.0,
            to: f64::from(n) * 10.0 + 10.0,
            colour: 0,
            is_grave: false,
        };
        let pieces: Vec<Piece> = (0..17).map(beat).collect();
        let (drawn, most) = blocks(&pieces, 400.0);
        assert_eq!((drawn.len(), most), (17, 1));
        assert!(
            drawn
                .iter()
                .all(|block| block.width == 9.0 && block.height == 1.0)
        );
    }
}

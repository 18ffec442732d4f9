//! The timeline of a run: where each step lies in time and in the tree, and how that is drawn.
//!
//! All of it is pure: a page hands in a skeleton and gets rows, places, blocks, sums, and the drawing as SVG or as calls
//! on a [`surface::Surface`], which the browser's canvas is one of.

pub(crate) mod axis;
pub(crate) mod blocks;
pub(crate) mod critical_path;
pub(crate) mod draw;
pub(crate) mod groups;
pub(crate) mod layout;
pub(crate) mod overview;
#[cfg_attr(
    not(any(target_arch = "wasm32", test)),
    expect(dead_code, reason = "only the browser paints")
)]
pub(crate) mod paint;
pub(crate) mod playback;
#[cfg(test)]
pub(crate) mod sample;
pub(crate) mod scale;
pub(crate) mod search;
pub(crate) mod surface;

//! Parts that pages share. Each is one idea of the visual language; none fetches anything.

pub(crate) mod command;
pub(crate) mod copy;
pub(crate) mod form;
pub(crate) mod frame;
pub(crate) mod icon;
pub(crate) mod links;
pub(crate) mod load;
pub(crate) mod menu;
pub(crate) mod nav;
pub(crate) mod not_found;
pub(crate) mod pointer;
#[cfg(target_arch = "wasm32")]
pub(crate) mod redraw;
pub(crate) mod time;

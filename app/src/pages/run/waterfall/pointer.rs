//! Mouse, pen and fingers on the drawing: drag moves, Shift and drag frames an area, Ctrl and wheel zooms, two fingers
//! zoom, a click selects.

#[cfg(target_arch = "wasm32")]
use std::ops::Range;

use leptos::ev;
#[cfg(target_arch = "wasm32")]
use leptos::prelude::*;

use super::stage::Stage;
#[cfg(target_arch = "wasm32")]
use super::stage::row_near;
#[cfg(target_arch = "wasm32")]
use crate::timeline::axis::View;
#[cfg(target_arch = "wasm32")]
use crate::timeline::draw::ROW_PX;
#[cfg(target_arch = "wasm32")]
use crate::timeline::paint::Selection;

/// What the pointer is on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum PointerPart {
    Bars,
    /// Sets the moment.
    Ruler,
    /// Moves and draws the window.
    Strip,
}

/// What a pointer that is down does.
#[cfg(target_arch = "wasm32")]
#[derive(Clone, Copy, PartialEq)]
enum Drag {
    /// Not moved yet.
    Click {
        x: f64,
        y: f64,
    },
    Pan {
        x: f64,
    },
    Area {
        x: f64,
        y: f64,
    },
    Moment,
    /// Of the strip: an edge, the window, or a new one from here (shares of the width).
    From,
    To,
    Window {
        grip: f64,
    },
    New {
        share: f64,
    },
}

/// A pointer that is down: its number, where it is, and what it does.
#[cfg(target_arch = "wasm32")]
#[derive(Clone, Copy)]
struct Down {
    id: i32,
    x: f64,
    drag: Drag,
}

/// So far a pointer may move and still click, in pixels.
#[cfg(target_arch = "wasm32")]
const CLICK_PX: f64 = 4.0;
/// The same for a finger, which never lies still.
#[cfg(target_arch = "wasm32")]
const TOUCH_PX: f64 = 8.0;
/// So near an edge of the window takes hold of it, in pixels.
#[cfg(target_arch = "wasm32")]
const GRIP_PX: f64 = 8.0;

/// Listens to what happens on one part of the drawing.
#[derive(Clone, Copy)]
pub(super) struct Pointer {
    #[cfg(target_arch = "wasm32")]
    stage: Stage,
    #[cfg(target_arch = "wasm32")]
    part: PointerPart,
    #[cfg(target_arch = "wasm32")]
    down: StoredValue<Vec<Down>>,
}

/// The pointer of one part.
pub(super) fn use_pointer(stage: Stage, part: PointerPart) -> Pointer {
    #[cfg(not(target_arch = "wasm32"))]
    let _only_in_the_browser = (stage, part);
    Pointer {
        #[cfg(target_arch = "wasm32")]
        stage,
        #[cfg(target_arch = "wasm32")]
        part,
        #[cfg(target_arch = "wasm32")]
        down: StoredValue::new(Vec::new()),
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl Pointer {
    pub(super) fn down(self, _: &ev::PointerEvent) {}
    pub(super) fn moved(self, _: &ev::PointerEvent) {}
    pub(super) fn up(self, _: &ev::PointerEvent) {}
    pub(super) fn wheel(self, _: &ev::WheelEvent) {}
    pub(super) fn double(self, _: &ev::MouseEvent) {}
}

/// The element that listens, its width, and where in it the pointer is.
#[cfg(target_arch = "wasm32")]
fn place_of(event: &ev::MouseEvent) -> Option<(web_sys::Element, f64, f64, f64)> {
    use wasm_bindgen::JsCast;
    let element: web_sys::Element = event.current_target()?.dyn_into().ok()?;
    let rect = element.get_bounding_client_rect();
    let x = f64::from(event.client_x()) - rect.left();
    let y = f64::from(event.client_y()) - rect.top();
    Some((element, rect.width().max(1.0), x, y))
}

#[cfg(target_arch = "wasm32")]
impl Pointer {
    pub(super) fn down(self, event: &ev::PointerEvent) {
        let Some((element, width, x, y)) = place_of(event) else {
            return;
        };
        if event.button() != 0 {
            return;
        }
        // A pointer that has gone since can't be held.
        _ = element.set_pointer_capture(event.pointer_id());
        let drag = match self.part {
            PointerPart::Bars if event.shift_key() => Drag::Area {
                x,
                y: self.y_in_all(y),
            },
            PointerPart::Bars => Drag::Click { x, y },
            PointerPart::Ruler => {
                self.set_moment(x, width);
                Drag::Moment
            }
            PointerPart::Strip => self.grip(x, width),
        };
        let down = Down {
            id: event.pointer_id(),
            x,
            drag,
        };
        self.down.update_value(|list| list.push(down));
    }

    pub(super) fn moved(self, event: &ev::PointerEvent) {
        let Some((_, width, x, y)) = place_of(event) else {
            return;
        };
        let mut list = self.down.get_value();
        let Some(at) = list.iter().position(|down| down.id == event.pointer_id()) else {
            return;
        };
        if list.len() == 2 {
            self.pinch(&list, at, x, width);
            list[at].x = x;
            // Lifted, neither of them clicks; the one that stays moves the part that is seen.
            for down in &mut list {
                down.drag = Drag::Pan { x: down.x };
            }
            self.down.set_value(list);
            return;
        }
        let down = &mut list[at];
        match down.drag {
            Drag::Click { x: from_x, y: from_y } => {
                let still = if event.pointer_type() == "touch" {
                    TOUCH_PX
                } else {
                    CLICK_PX
                };
                if (x - from_x).abs() > still || (y - from_y).abs() > 3.0 * still {
                    down.drag = Drag::Pan { x };
                }
            }
            Drag::Pan { x: last } => {
                self.stage.pan((last - x) / width);
                down.drag = Drag::Pan { x };
            }
            Drag::Area { x: from_x, y: from_y } => self.frame((from_x, x), (from_y, self.y_in_all(y)), width),
            Drag::Moment => self.set_moment(x, width),
            Drag::From | Drag::To | Drag::Window { .. } | Drag::New { .. } => {
                self.move_window(down.drag, x / width)
            }
        }
        down.x = x;
        self.down.set_value(list);
    }

    pub(super) fn up(self, event: &ev::PointerEvent) {
        let mut list = self.down.get_value();
        let Some(at) = list.iter().position(|down| down.id == event.pointer_id()) else {
            return;
        };
        let down = list.remove(at);
        self.down.set_value(list);
        let Some((_, width, x, y)) = place_of(event) else {
            return;
        };
        match down.drag {
            Drag::Click { .. } if event.type_() == "pointerup" => self.select(x, y, width),
            Drag::New { share } if (x / width - share).abs() * width < CLICK_PX => self.select_at(share),
            _ => {}
        }
    }

    pub(super) fn wheel(self, event: &ev::WheelEvent) {
        let Some((_, width, x, _)) = place_of(event) else {
            return;
        };
        let lines = if event.delta_mode() == 0 { 1.0 } else { 16.0 };
        let (dx, dy) = (event.delta_x() * lines, event.delta_y() * lines);
        if event.ctrl_key() || event.meta_key() {
            let share = match self.part {
                PointerPart::Strip => 0.5,
                PointerPart::Bars | PointerPart::Ruler => x / width,
            };
            self.stage.zoom((dy / 300.0).clamp(-1.0, 1.0).exp(), share);
        } else if event.shift_key() || dx.abs() > dy.abs() {
            self.stage.pan(if dx.abs() > dy.abs() { dx } else { dy } / width);
        } else {
            // The page scrolls.
            return;
        }
        event.prevent_default();
    }

    /// From nearer where the pointer is; the strip shows all of it.
    pub(super) fn double(self, event: &ev::MouseEvent) {
        let Some((_, width, x, _)) = place_of(event) else {
            return;
        };
        match self.part {
            PointerPart::Bars => self.stage.zoom(0.4, x / width),
            PointerPart::Ruler | PointerPart::Strip => self.stage.view.set(None),
        }
    }

    fn pinch(self, list: &[Down], at: usize, x: f64, width: f64) {
        let other = list[1 - at].x;
        let (before, now) = ((list[at].x - other).abs().max(20.0), (x - other).abs().max(20.0));
        self.stage.zoom(before / now, (x + other) / 2.0 / width);
    }

    /// How far below the first line a place of the canvas lies, in pixels.
    fn y_in_all(self, y: f64) -> f64 {
        y + super::canvas::first_line() as f64 * ROW_PX as f64
    }

    fn line_at(self, y: f64) -> usize {
        (self.y_in_all(y).max(0.0) / ROW_PX as f64) as usize
    }

    fn set_moment(self, x: f64, width: f64) {
        let place = self.stage.seen_untracked().place_at(x, width);
        let axis = self.stage.axis.read_untracked();
        let us = axis.time_at(place.clamp(0.0, axis.length()));
        self.stage.at_us.set(Some(us));
    }

    fn select(self, x: f64, y: f64, width: f64) {
        let super::super::Page { run, query, go, .. } = self.stage.page;
        let place = self.stage.seen_untracked().place_at(x, width);
        if let Some(row) = row_near(self.stage, self.line_at(y), place) {
            let id = run.read_untracked().id_of(row).to_owned();
            go.run((query.read_untracked().with_step(Some(&id)), false));
        }
    }

    /// Selects the innermost step at a share of the run.
    fn select_at(self, share: f64) {
        let super::super::Page { run, query, go, .. } = self.stage.page;
        let run = run.get_untracked();
        if let Some(row) = run.row_at(share) {
            go.run((query.read_untracked().with_step(Some(run.id_of(row))), false));
        }
    }

    fn frame(self, x: (f64, f64), y: (f64, f64), width: f64) {
        let view = self.stage.seen_untracked();
        let length = self.stage.axis.read_untracked().length();
        let place = |x: f64| view.place_at(x, width).clamp(0.0, length);
        let count = self.stage.lines.read_untracked().len();
        let line = |y: f64| ((y.max(0.0) / ROW_PX as f64) as usize).min(count.saturating_sub(1));
        let lines: Range<usize> = line(y.0.min(y.1))..line(y.0.max(y.1)) + 1;
        self.stage.area.set(Some(Selection {
            from: place(x.0.min(x.1)),
            to: place(x.0.max(x.1)),
            lines,
        }));
    }

    /// What of the strip's window is taken hold of.
    fn grip(self, x: f64, width: f64) -> Drag {
        let share = x / width;
        match self.window() {
            None => Drag::New { share },
            Some((from, _)) if (share - from).abs() * width <= GRIP_PX => Drag::From,
            Some((_, to)) if (share - to).abs() * width <= GRIP_PX => Drag::To,
            Some((from, to)) if share > from && share < to => Drag::Window { grip: share - from },
            Some(_) => Drag::New { share },
        }
    }

    /// The window in shares of the run's time.
    fn window(self) -> Option<(f64, f64)> {
        let view = self.stage.view.get_untracked()?;
        let axis = self.stage.axis.read_untracked();
        let (start, end) = self.stage.page.run.read_untracked().bounds;
        let share = |place: f64| (axis.time_at(place) / ((end - start) as f64).max(1.0)).clamp(0.0, 1.0);
        Some((share(view.from), share(view.to)))
    }

    fn move_window(self, drag: Drag, share: f64) {
        let share = share.clamp(0.0, 1.0);
        let (from, to) = self.window().unwrap_or((0.0, 1.0));
        let (from, to) = match drag {
            Drag::From => (share.min(to - 1e-6), to),
            Drag::To => (from, share.max(from + 1e-6)),
            // The window keeps its width.
            Drag::Window { grip } => {
                let width = to - from;
                let begins = (share - grip).min(1.0 - width).max(0.0);
                (begins, begins + width)
            }
            Drag::New { share: begun } => (begun.min(share), begun.max(share + 1e-6)),
            Drag::Click { .. } | Drag::Pan { .. } | Drag::Area { .. } | Drag::Moment => return,
        };
        let axis = self.stage.axis.read_untracked();
        let (start, end) = self.stage.page.run.read_untracked().bounds;
        let place = |share: f64| axis.place_of(share * (end - start) as f64);
        self.stage.look(View {
            from: place(from),
            to: place(to),
        });
    }
}

//! A disk in memory that knows what has been waited for, fails on command and loses power on command.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::rc::Rc;

use spool::disk::{Disk, DiskFile};

/// A change that is not synced.
#[derive(Debug, Clone)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate { size: usize },
}

impl Change {
    /// In how many steps it reaches the disk.
    fn steps(&self) -> usize {
        match self {
            Self::Write { bytes, .. } => bytes.len(),
            Self::Truncate { .. } => 1,
        }
    }
}

#[derive(Debug, Default, Clone)]
struct Content {
    now: Vec<u8>,
    on_disk: Vec<u8>,
    pending: Vec<Change>,
}

fn write(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    content.resize(content.len().max(end), 0);
    content[offset..end].copy_from_slice(bytes);
}

#[derive(Debug, Default)]
struct State {
    contents: Vec<Content>,
    names: BTreeMap<String, usize>,
    names_on_disk: BTreeMap<String, usize>,
    operations: usize,
    failing: Range<usize>,
    has_failed: bool,
}

impl State {
    fn fails(&mut self) -> bool {
        let fails = self.failing.contains(&self.operations);
        self.operations += 1;
        self.has_failed |= fails;
        fails
    }

    /// Counts an operation, which may fail.
    fn operate(&mut self) -> io::Result<()> {
        if self.fails() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

/// What is left after a power cut.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Survival {
    /// Of the steps of changes that were not synced, how many were made.
    pub(crate) steps: usize,
    /// Whether files are already as long as they were to become, with zeros.
    pub(crate) with_zeros: bool,
    pub(crate) made_names: bool,
    pub(crate) removed_names: bool,
}

#[derive(Debug, Default, Clone)]
pub(crate) struct MemoryDisk(Rc<RefCell<State>>);

impl MemoryDisk {
    /// Lets the operations of those numbers fail, counted from the next one.
    pub(crate) fn fail(&self, operations: Range<usize>) {
        let mut state = self.0.borrow_mut();
        let next = state.operations;
        state.failing = next + operations.start..next.saturating_add(operations.end);
        state.has_failed = false;
    }

    /// Whether one has failed since [`fail`](Self::fail).
    pub(crate) fn has_failed(&self) -> bool {
        self.0.borrow().has_failed
    }

    pub(crate) fn works(&self) {
        self.0.borrow_mut().failing = 0..0;
    }

    /// All ways in which a power cut now may end.
    pub(crate) fn survivals(&self) -> Vec<Survival> {
        let state = self.0.borrow();
        let pending = state.contents.iter().flat_map(|content| &content.pending);
        let most: usize = pending.map(Change::steps).sum();
        let mut survivals = Vec::new();
        for steps in 0..=most {
            for bits in 0..8 {
                let bit = |index: u8| bits >> index & 1 == 1;
                survivals.push(Survival {
                    steps,
                    with_zeros: bit(0),
                    made_names: bit(1),
                    removed_names: bit(2),
                });
            }
        }
        survivals
    }

    /// The disk after a power cut.
    pub(crate) fn after_power_cut(&self, survival: Survival) -> Self {
        let state = self.0.borrow();
        let mut left = survival.steps;
        let content = |content: &Content| {
            let mut on_disk = content.on_disk.clone();
            for change in &content.pending {
                let steps = change.steps().min(left);
                left -= steps;
                match change {
                    Change::Write { offset, bytes } => {
                        if steps > 0 {
                            write(&mut on_disk, *offset, &bytes[..steps]);
                        }
                        if survival.with_zeros {
                            let size = on_disk.len().max(offset + bytes.len());
                            on_disk.resize(size, 0);
                        }
                    }
                    Change::Truncate { size } if steps == 1 => on_disk.truncate(*size),
                    Change::Truncate { .. } => {}
                }
            }
            Content {
                now: on_disk.clone(),
                on_disk,
                pending: Vec::new(),
            }
        };
        let contents = state.contents.iter().map(content).collect();
        let mut names = state.names_on_disk.clone();
        if survival.made_names {
            names.extend(state.names.clone());
        }
        if survival.removed_names {
            names.retain(|name, _| state.names.contains_key(name));
        }
        Self(Rc::new(RefCell::new(State {
            contents,
            names_on_disk: names.clone(),
            names,
            ..State::default()
        })))
    }

    /// Segments with their content, oldest first.
    pub(crate) fn segments(&self) -> Vec<(String, Vec<u8>)> {
        let state = self.0.borrow();
        let segments = state.names.iter().filter(|(name, _)| name.contains(".spool"));
        segments
            .map(|(name, index)| (name.clone(), state.contents[*index].now.clone()))
            .collect()
    }

    /// Replaces what stands in a file, bypassing the spool.
    pub(crate) fn overwrite(&self, name: &str, bytes: &[u8]) {
        let mut state = self.0.borrow_mut();
        let index = state.names[name];
        state.contents[index] = Content {
            now: bytes.to_vec(),
            on_disk: bytes.to_vec(),
            pending: Vec::new(),
        };
    }

    pub(crate) fn content(&self, name: &str) -> Vec<u8> {
        let state = self.0.borrow();
        state.contents[state.names[name]].now.clone()
    }

    /// A second disk with the same files.
    pub(crate) fn copy(&self) -> Self {
        let state = self.0.borrow();
        Self(Rc::new(RefCell::new(State {
            contents: state.contents.clone(),
            names: state.names.clone(),
            names_on_disk: state.names_on_disk.clone(),
            ..State::default()
        })))
    }

    fn file(&self, index: usize) -> MemoryFile {
        MemoryFile {
            state: Rc::clone(&self.0),
            index,
        }
    }
}

impl Disk for MemoryDisk {
    type File = MemoryFile;

    fn list(&self) -> io::Result<Vec<String>> {
        let mut state = self.0.borrow_mut();
        state.operate()?;
        // In no order, as of a real folder.
        Ok(state.names.keys().rev().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<MemoryFile> {
        let mut state = self.0.borrow_mut();
        state.operate()?;
        assert!(!state.names.contains_key(name), "{name} exists");
        let index = state.contents.len();
        state.contents.push(Content::default());
        state.names.insert(name.to_string(), index);
        Ok(self.file(index))
    }

    fn open(&self, name: &str) -> io::Result<MemoryFile> {
        let mut state = self.0.borrow_mut();
        state.operate()?;
        Ok(self.file(*state.names.get(name).ok_or(io::ErrorKind::NotFound)?))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        state.operate()?;
        state.names.remove(name);
        Ok(())
    }

    fn sync_folder(&self) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        state.operate()?;
        state.names_on_disk = state.names.clone();
        Ok(())
    }
}

#[derive(Debug)]
pub(crate) struct MemoryFile {
    state: Rc<RefCell<State>>,
    index: usize,
}

impl DiskFile for MemoryFile {
    fn size(&self) -> io::Result<u64> {
        let mut state = self.state.borrow_mut();
        state.operate()?;
        Ok(state.contents[self.index].now.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.state.borrow_mut();
        state.operate()?;
        let rest = state.contents[self.index].now.get(offset as usize..);
        let rest = rest.unwrap_or_default();
        // Never all of it at once: callers must not rely on that.
        let length = rest.len().min(buffer.len()).min(50);
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }

    fn write_all_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state.borrow_mut();
        let result = state.operate();
        let offset = offset as usize;
        let content = &mut state.contents[self.index];
        // Half of it where it fails; on disk it may still become any part of it.
        let written = bytes.len() / if result.is_ok() { 1 } else { 2 };
        write(&mut content.now, offset, &bytes[..written]);
        content.pending.push(Change::Write {
            offset,
            bytes: bytes.to_vec(),
        });
        result
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        let mut state = self.state.borrow_mut();
        state.operate()?;
        let size = size as usize;
        let content = &mut state.contents[self.index];
        content.now.truncate(size);
        content.pending.push(Change::Truncate { size });
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state.borrow_mut();
        state.operate()?;
        let content = &mut state.contents[self.index];
        content.on_disk = content.now.clone();
        content.pending.clear();
        Ok(())
    }
}

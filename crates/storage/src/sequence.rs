//! Sequence numbers: the order in which steps were scored, over all processes. The upper bits number the batches, the
//! lower ones the steps of one.

/// Low bits of a sequence number, which number the steps of one batch.
pub(crate) const SEQUENCE_BITS: u32 = 20;

/// Which row of its batch a step was.
pub fn nth_of_batch(sequence: i64) -> usize {
    usize::try_from(sequence & ((1 << SEQUENCE_BITS) - 1)).unwrap_or(0)
}

/// The number of the batch with which a step arrived.
pub fn batch_of(sequence: i64) -> i64 {
    sequence >> SEQUENCE_BITS
}

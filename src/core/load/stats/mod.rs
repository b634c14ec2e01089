//! Statistics of running work in a bounded place, and the level its fill asks of the senders.
//!
//! ```text
//!  sample ──► HOT      every sample, 1000 of them, 60 s        fill ──► none · throttle · batch · reject
//!              │ older            ≥ 0.70 · 0.85 · 0.95
//!              ▼
//!             WARM     buckets of 10 s, 360 of them, 1 h
//!              ▼
//!             COLD     buckets of 60 s, 1440 of them, 24 h
//!              ▼
//!             ARCHIVE  all the rest, in one
//! ```
//!
//! *Nothing is lost on the way*: the counts of the tiers add up to what was taken, always. Buckets begin at multiples of
//! their length and a sample belongs to the bucket of its own time, however late it comes.
//!
//! *Nobody is locked out*: what has aged moves on by the clock, whether or not anything is taken. At reject only what is
//! not critical is refused; what is critical uses the room that is left, and then makes room by folding the oldest.
//!
//! # Sources
//! T. Oetiker, *RRDtool* documentation, `rrdcreate` (archives of growing coarseness, buckets aligned to multiples of the
//! step); T. Akidau et al., *The Dataflow Model*, VLDB 2015 (event time, late data); each module names its own.

pub mod buffer;
pub mod checkpoint;
pub mod entry;
pub mod level;
pub mod signal;

pub use buffer::{NotRecorded, Sample, StatsBuffer, StatsConfig, StatsMetrics, TierConfig, Totals};
pub use checkpoint::{Checkpoint, Imported, NotImported};
pub use entry::Entry;
pub use level::{Level, Levels};
pub use signal::{Decoded, Signal, SignalConfig, SignalSeq, Signaller, WireSignal};

//! The machine's own load: who measures it, and the loop that feeds the overload detector with it.
//!
//! ```text
//!  every 250 ms:  Sampler::sample ──► admission controller: worse at once, better after two quieter looks ──► shed
//!                     └─ fails: told in the log, the last values count until they are too old
//! ```
//!
//! Nothing is sampled unless [`Config::sampler`](crate::Config) is set: on a machine that others use too, their load
//! would make this process refuse work. Under a manual clock nothing is sampled either; a script feeds the detector.
//!
//! # Source
//! Bounds on processor and memory as an overload signal: *Site Reliability Engineering* (2016), chapter 21, "Handling
//! Overload".

use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

use super::host::Host;
use super::load::{Fed, Source};
use super::lock;
use crate::core::load::shed::Readings;

/// Measures the load of a machine.
pub trait Sampler: Send + Sync + Debug {
    /// Processor and memory in use, both in percent. Called on a thread that may block, never twice at the same time.
    ///
    /// # Errors
    /// Why nothing is known, in words.
    fn sample(&self) -> Result<Readings, String>;
}

/// This machine, as its operating system tells: processors over the time since the last sample, and memory that is
/// not available.
#[derive(Debug)]
pub struct ThisMachine(Mutex<System>);

impl Default for ThisMachine {
    fn default() -> Self {
        let what = RefreshKind::nothing()
            .with_cpu(CpuRefreshKind::nothing().with_cpu_usage())
            .with_memory(MemoryRefreshKind::nothing().with_ram());
        ThisMachine(Mutex::new(System::new_with_specifics(what)))
    }
}

impl Sampler for ThisMachine {
    fn sample(&self) -> Result<Readings, String> {
        let mut system = lock(&self.0);
        system.refresh_cpu_usage();
        system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
        let total = system.total_memory();
        if total == 0 {
            return Err("the operating system does not tell how much memory there is".to_owned());
        }
        let used = total.saturating_sub(system.available_memory());
        let memory = used as f64 * 100.0 / total as f64;
        Ok(Readings { cpu: Some(system.global_cpu_usage().into()), memory: Some(memory) })
    }
}

/// One look at a time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sampling(Arc<AtomicBool>);

impl Sampling {
    /// Looks at the machine on a thread that may block, unless the look before is still under way. Whatever goes wrong
    /// with it, the next one comes.
    pub(crate) fn look(&self, host: &Arc<Host>) {
        let Some(sampler) = host.config.sampler.clone() else { return };
        if self.0.swap(true, Ordering::AcqRel) {
            return;
        }
        let (host, over) = (host.clone(), Over(self.clone()));
        host.tokio.clone().spawn_blocking(move || {
            let _over = over;
            let fed = |readings| Fed { latency: None, queue_delay: None, readings, pending: None };
            let told = sampler.sample().and_then(|readings| {
                host.admission
                    .feed(&host, Source::Measured, fed(readings))
                    .map_err(|invalid| invalid.to_string())
            });
            if let Err(reason) = told {
                tracing::warn!(%reason, "the load of the machine is not known");
            }
        });
    }
}

/// The look has ended, however it did.
struct Over(Sampling);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.0.store(false, Ordering::Release);
    }
}

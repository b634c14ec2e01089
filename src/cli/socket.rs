//! The way of the HTTP client to the owner of a data folder: its unix socket instead of an address.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;

use quorate_runtime::owner;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, ShutdownHandle, Transport,
};
use ureq::{Error, Timeout};

/// Connects to the owner of this folder, whatever the address.
#[derive(Debug)]
pub(super) struct OwnerConnector(pub(super) PathBuf);

impl Connector for OwnerConnector {
    type Out = OwnerTransport;

    fn connect(&self, details: &ConnectionDetails, _: Option<()>) -> Result<Option<Self::Out>, Error> {
        // Nobody behind the socket is one who does not answer, like a port that nobody listens on.
        let stream = owner::connect(&self.0).map_err(|e| match e.kind() {
            ErrorKind::NotFound => ErrorKind::ConnectionRefused.into(),
            _ => e,
        })?;
        let stream = Arc::new(End(stream));
        let config = details.config;
        let buffers = LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size());
        let weak: std::sync::Weak<dyn ShutdownHandle> = Arc::downgrade(&stream) as _;
        (details.register_shutdown)(weak)?;
        Ok(Some(OwnerTransport { stream, buffers }))
    }
}

/// This end of the connection.
#[derive(Debug)]
struct End(UnixStream);

impl ShutdownHandle for End {
    fn shutdown(&self) {
        // It may be closed already.
        let _ = self.0.shutdown(std::net::Shutdown::Both);
    }
}

/// An open connection to the owner.
#[derive(Debug)]
pub(super) struct OwnerTransport {
    stream: Arc<End>,
    buffers: LazyBuffers,
}

/// What the socket says when time is up.
fn told(error: std::io::Error, reason: Timeout) -> Error {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Error::Timeout(reason),
        _ => error.into(),
    }
}

impl Transport for OwnerTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let mut stream = &self.stream.0;
        stream.set_write_timeout(timeout.not_zero().map(|left| *left))?;
        stream.write_all(&self.buffers.output()[..amount]).map_err(|e| told(e, timeout.reason))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let mut stream = &self.stream.0;
        stream.set_read_timeout(timeout.not_zero().map(|left| *left))?;
        let input = self.buffers.input_append_buf();
        let amount = loop {
            match stream.read(input) {
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                read => break read.map_err(|e| told(e, timeout.reason))?,
            }
        };
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        // A command has one request; nothing is used twice.
        false
    }
}

//! A card behind a vfio-user socket.
//!
//! The client side of the protocol is written here because every wait must end and every refusal be heard:
//! the client of the crate `vfio_user`, whose server is used, does neither (0.1.7).

use crate::{
    Error,
    events::{Events, Woken},
    memory::{DmaMemory, Mapping},
    pci,
    transport::Transport,
};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use std::{
    io::{self, IoSlice, Read},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
    path::Path,
    rc::Rc,
    time::Duration,
};
use vfio_bindings::bindings::vfio::{
    VFIO_IRQ_SET_ACTION_TRIGGER, VFIO_IRQ_SET_DATA_EVENTFD, VFIO_PCI_BAR0_REGION_INDEX,
    VFIO_PCI_CONFIG_REGION_INDEX, VFIO_PCI_MSIX_IRQ_INDEX,
};
use vfio_user::Command;

/// Longest wait for an answer.
const ANSWER: Duration = Duration::from_secs(5);
/// Bytes of a message's header.
const HEADER: usize = 16;
/// Largest answer that makes sense here.
const MOST: usize = 1 << 16;
const REPLY: u32 = 1;
const NO_REPLY: u32 = 1 << 4;
const FAILED: u32 = 1 << 5;
/// Where the first mapping lies for the card.
const FIRST_IOVA: u64 = 1 << 33;
/// Memory may be read and written by the card.
const READ_WRITE: u32 = 3;

/// A function on a socket.
pub struct VfioUser {
    stream: UnixStream,
    name: String,
    message: u16,
    events: Rc<Events>,
    next: u64,
}

impl VfioUser {
    /// Connects, and asks for interrupts.
    pub fn connect(socket: &Path) -> Result<Self, Error> {
        let name = format!("vfio-user:{}", socket.display());
        let stream = UnixStream::connect(socket)
            .map_err(Error::io(format!("{name}: is `terntable card-server` running there?")))?;
        let waits = stream
            .set_read_timeout(Some(ANSWER))
            .and_then(|()| stream.set_write_timeout(Some(ANSWER)));
        waits.map_err(Error::io(&name))?;
        let events = Rc::new(Events::new()?);
        let mut function = Self { stream, name, message: 0, events, next: FIRST_IOVA };
        function.negotiate()?;
        function.check_numbers()?;
        function.enable_interrupts()?;
        Ok(function)
    }

    fn negotiate(&mut self) -> Result<(), Error> {
        let mut version = vec![0, 0, 1, 0];
        version.extend_from_slice(
            b"{\"capabilities\":{\"max_msg_fds\":8,\"max_data_xfer_size\":1048576}}\0",
        );
        let answer = self.ask(Command::Version, &version, &[]).map_err(|error| match error {
            Error::Timeout { .. } => Error::Refused(format!(
                "{}: no answer within {ANSWER:?}; the server has one client at a time: end the \
                 other one",
                self.name
            )),
            error => error,
        })?;
        match answer.as_chunks::<2>().0 {
            [major, ..] if u16::from_le_bytes(*major) == 0 => Ok(()),
            _ => Err(self.strange("a version", &answer)),
        }
    }

    /// The numbers of the function; then memory accesses and bus mastering are allowed.
    fn check_numbers(&mut self) -> Result<(), Error> {
        let mut numbers = [0; 4];
        self.read_region(VFIO_PCI_CONFIG_REGION_INDEX, 0, &mut numbers)?;
        let expected = u32::from(pci::DEVICE) << 16 | u32::from(pci::VENDOR);
        let found = u32::from_le_bytes(numbers);
        if found != expected {
            return Err(Error::Identity {
                at: self.name.clone(),
                what: "device and vendor",
                found: format!("{found:#010x}"),
                expected: format!("{expected:#010x}"),
                remedy: "another device is served there",
            });
        }
        self.write_region(VFIO_PCI_CONFIG_REGION_INDEX, 4, &[6, 4])
    }

    fn enable_interrupts(&mut self) -> Result<(), Error> {
        let flags = VFIO_IRQ_SET_ACTION_TRIGGER | VFIO_IRQ_SET_DATA_EVENTFD;
        let words = [20, flags, VFIO_PCI_MSIX_IRQ_INDEX, 0, 2];
        let events = self.events.clone();
        self.ask(Command::SetIrqs, &of_words(&words), &events.files()).map(|_| ())
    }

    fn read_region(&mut self, region: u32, offset: u64, bytes: &mut [u8]) -> Result<(), Error> {
        let access = access(region, offset, bytes.len());
        let answer = self.ask(Command::RegionRead, &access, &[])?;
        match answer.split_at_checked(access.len()) {
            Some((_, data)) if data.len() == bytes.len() => bytes.copy_from_slice(data),
            _ => return Err(self.strange("the bytes of a region", &answer)),
        }
        Ok(())
    }

    fn write_region(&mut self, region: u32, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        let mut message = access(region, offset, bytes.len());
        message.extend_from_slice(bytes);
        self.ask(Command::RegionWrite, &message, &[]).map(|_| ())
    }

    /// Writes a register without waiting for an answer, as a bus posts writes. A refusal, which comes
    /// nevertheless, is found in the place of the next answer.
    fn post_register(&mut self, offset: u64, value: u32) -> Result<(), Error> {
        let mut message = access(VFIO_PCI_BAR0_REGION_INDEX, offset, 4);
        message.extend_from_slice(&value.to_le_bytes());
        let command = Command::RegionWrite;
        let header = self.header(command, NO_REPLY, message.len());
        self.send(&header, &message, &[]).map_err(|e| self.broken(command, &e))
    }

    fn header(&mut self, command: Command, flags: u32, payload: usize) -> [u8; HEADER] {
        self.message = self.message.wrapping_add(1);
        let mut header = [0; HEADER];
        header[0..2].copy_from_slice(&self.message.to_le_bytes());
        header[2..4].copy_from_slice(&(command as u16).to_le_bytes());
        header[4..8].copy_from_slice(&((HEADER + payload) as u32).to_le_bytes());
        header[8..12].copy_from_slice(&flags.to_le_bytes());
        header
    }

    /// Sends a message and reads its answer.
    fn ask(
        &mut self,
        command: Command,
        payload: &[u8],
        files: &[BorrowedFd<'_>],
    ) -> Result<Vec<u8>, Error> {
        let header = self.header(command, 0, payload.len());
        self.send(&header, payload, files).map_err(|e| self.broken(command, &e))?;
        let mut answer = [0; HEADER];
        self.stream.read_exact(&mut answer).map_err(|e| self.broken(command, &e))?;
        let half = |at: usize| u16::from_le_bytes([answer[at], answer[at + 1]]);
        let word = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| answer[at + i]));
        let (size, flags) = (word(4) as usize, word(8));
        let ours = half(0) == self.message && half(2) == command as u16 && flags & REPLY != 0;
        if !ours || !(HEADER..=MOST).contains(&size) {
            return Err(self.strange("an answer", &answer));
        }
        let mut rest = vec![0; size - HEADER];
        self.stream.read_exact(&mut rest).map_err(|e| self.broken(command, &e))?;
        if flags & FAILED != 0 {
            return Err(Error::Refused(format!(
                "{}: the server refused {command:?} (error {})",
                self.name,
                word(12)
            )));
        }
        Ok(rest)
    }

    fn send(&self, header: &[u8], payload: &[u8], files: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !files.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(files)) {
            return Err(io::Error::other("more than two files in a message"));
        }
        // The server takes the header for itself; one message carries all of it and the files.
        let parts = [IoSlice::new(header), IoSlice::new(payload)];
        let sent = sendmsg(&self.stream, &parts, &mut ancillary, SendFlags::NOSIGNAL)?;
        match sent == header.len() + payload.len() {
            true => Ok(()),
            false => Err(io::ErrorKind::WriteZero.into()),
        }
    }

    fn broken(&self, command: Command, error: &io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Error::Timeout {
                at: self.name.clone(),
                what: format!("the answer to {command:?}"),
                after: ANSWER,
            },
            _ => Error::Lost { at: self.name.clone(), found: format!("{command:?}: {error}") },
        }
    }

    fn strange(&self, what: &'static str, found: &[u8]) -> Error {
        Error::Identity {
            at: self.name.clone(),
            what,
            found: format!("{:02x?}", &found[..found.len().min(HEADER)]),
            expected: "one of the protocol vfio-user 0.1".into(),
            remedy: "another server listens there",
        }
    }
}

fn of_words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn access(region: u32, offset: u64, bytes: usize) -> Vec<u8> {
    of_words(&[offset as u32, (offset >> 32) as u32, region, bytes as u32])
}

impl Transport for VfioUser {
    fn describe(&self) -> String {
        self.name.clone()
    }

    fn read32(&mut self, offset: usize) -> Result<u32, Error> {
        let mut bytes = [0; 4];
        self.read_region(VFIO_PCI_BAR0_REGION_INDEX, offset as u64, &mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn write32(&mut self, offset: usize, value: u32) -> Result<(), Error> {
        self.post_register(offset as u64, value)
    }

    fn map(&mut self, bytes: usize) -> Result<DmaMemory, Error> {
        let (mapping, file) =
            Mapping::sharable(bytes).map_err(Error::io("making memory to share"))?;
        let (iova, size) = (self.next, bytes as u64);
        let mut message = of_words(&[32, READ_WRITE]);
        for wide in [0, iova, size] {
            message.extend_from_slice(&wide.to_le_bytes());
        }
        self.ask(Command::DmaMap, &message, &[file.as_fd()])?;
        self.next += size;
        Ok(DmaMemory { mapping, iova })
    }

    fn unmap(&mut self, memory: &DmaMemory) -> Result<(), Error> {
        let mut message = of_words(&[24, 0]);
        for wide in [memory.iova, memory.mapping.bytes() as u64] {
            message.extend_from_slice(&wide.to_le_bytes());
        }
        self.ask(Command::DmaUnmap, &message, &[]).map(|_| ())
    }

    fn wait(&mut self, at_most: Duration) -> Result<bool, Error> {
        match self.events.wait(at_most, Some(self.stream.as_fd()))? {
            Woken::Interrupt => Ok(true),
            Woken::Nothing => Ok(false),
            Woken::HungUp => {
                let found = "the server closed the connection".into();
                Err(Error::Lost { at: self.name.clone(), found })
            }
        }
    }

    fn reset(&mut self) -> Result<(), Error> {
        self.ask(Command::DeviceReset, &[], &[])?;
        // What a reset forgot.
        self.write_region(VFIO_PCI_CONFIG_REGION_INDEX, 4, &[6, 4])
    }
}

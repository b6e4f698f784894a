//! The only unsafe code: the shared library of a model, and the memory of its ports.
//!
//! A [`Model`] owns the library and the model object in it. Port and storage memory belongs to that
//! object and neither moves nor is freed before it; all access goes through methods of `Model`, so
//! a pointer cannot outlive its model. `Model` is neither `Send` nor `Sync` (it holds raw
//! pointers), so nothing else reads or writes that memory while a method does.

#[cfg(target_endian = "big")]
compile_error!("the testbench reads the simulator's words as bytes and expects little endian");

use crate::{Error, build::Built};
use libloading::Library;
use std::{
    ffi::{CStr, CString, c_char, c_int, c_void},
    path::Path,
    ptr::{self, NonNull},
    slice,
};

type Raw = *mut c_void;

/// `struct Field` of the shim.
#[repr(C)]
struct RawField {
    name: *const c_char,
    data: *mut u8,
    bytes: u64,
    width: u32,
    output: u32,
}

/// A port, or storage inside the design.
#[derive(Debug)]
pub struct Field {
    pub name: String,
    /// Bits: of the port, or of one element of the storage.
    pub width: u32,
    /// Of a storage: it can only be read.
    pub output: bool,
    data: NonNull<u8>,
    bytes: usize,
}

impl Field {
    /// Bytes of memory behind it.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// What an evaluation left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome(c_int);

impl Outcome {
    /// Nothing was printed and nothing stopped.
    pub fn quiet(self) -> bool {
        self.0 == 0
    }

    /// The design asked to stop: an assertion, `$fatal`, `$stop`, `$finish`.
    pub fn stopped(self) -> bool {
        self.0 & 2 != 0
    }
}

struct Tracing {
    dump: unsafe extern "C" fn(Raw, u64),
    flush: unsafe extern "C" fn(Raw),
}

/// A model, ready to be evaluated.
pub struct Model {
    raw: Raw,
    eval: unsafe extern "C" fn(Raw) -> c_int,
    time: unsafe extern "C" fn(Raw, u64),
    text: unsafe extern "C" fn(Raw) -> *const c_char,
    clear: unsafe extern "C" fn(Raw),
    free: unsafe extern "C" fn(Raw),
    ports: Vec<Field>,
    storage: Vec<Field>,
    tracing: Option<Tracing>,
    // Last, so that the code outlives the object.
    _library: Library,
}

impl Model {
    /// Loads the library and makes one model in it; uninitialised state gets random bits.
    pub fn open(built: &Built, seed: u64, trace: Option<&Path>) -> Result<Self, Error> {
        let fail = |reason: String| Error::Load { path: built.library.clone(), reason };
        // SAFETY: the library is one that `build` made from the shim; its initialisers are those
        // of the C++ runtime and of Verilator, which need nothing set up.
        let library = unsafe { Library::new(&built.library) }.map_err(|e| fail(e.to_string()))?;
        macro_rules! function {
            ($name:literal, $type:ty) => {{
                // SAFETY: the shim defines the symbol with this type.
                let symbol = unsafe { library.get::<$type>($name) };
                *symbol.map_err(|e| fail(e.to_string()))?
            }};
        }
        let new = function!(b"terntable_new", unsafe extern "C" fn(u64) -> Raw);
        let list = function!(b"terntable_ports", List);
        let storage = function!(b"terntable_storage", List);
        let eval = function!(b"terntable_eval", unsafe extern "C" fn(Raw) -> c_int);
        let time = function!(b"terntable_time", unsafe extern "C" fn(Raw, u64));
        let text = function!(b"terntable_text", unsafe extern "C" fn(Raw) -> *const c_char);
        let clear = function!(b"terntable_clear", unsafe extern "C" fn(Raw));
        let free = function!(b"terntable_free", unsafe extern "C" fn(Raw));

        // SAFETY: `new` has no precondition.
        let raw = unsafe { new(seed) };
        if raw.is_null() {
            return Err(fail("the model stopped while it was made".to_owned()));
        }
        let mut model = Model {
            raw,
            eval,
            time,
            text,
            clear,
            free,
            ports: Vec::new(),
            storage: Vec::new(),
            tracing: None,
            _library: library,
        };
        model.ports = fields(raw, list);
        model.storage = fields(raw, storage);
        if let Some(path) = trace {
            model.open_trace(built, path)?;
        }
        Ok(model)
    }

    fn open_trace(&mut self, built: &Built, path: &Path) -> Result<(), Error> {
        let fail = |reason: String| Error::Load { path: built.library.clone(), reason };
        let library = &self._library;
        macro_rules! function {
            ($name:literal, $type:ty) => {{
                // SAFETY: the shim of a model with waveforms defines the symbol with this type.
                let symbol = unsafe { library.get::<$type>($name) };
                *symbol.map_err(|e| fail(format!("it has no waveforms: {e}")))?
            }};
        }
        let compressors =
            function!(b"terntable_compressors", unsafe extern "C" fn(Compress, Compress));
        let open =
            function!(b"terntable_trace_open", unsafe extern "C" fn(Raw, *const c_char) -> c_int);
        let dump = function!(b"terntable_trace_dump", unsafe extern "C" fn(Raw, u64));
        let flush = function!(b"terntable_trace_flush", unsafe extern "C" fn(Raw));
        let name = CString::new(path.as_os_str().as_encoded_bytes())
            .map_err(|e| Error::file("create", path, e))?;
        // SAFETY: the compressors keep the contract of `Compress`; `raw` is live; `name` ends in 0
        // and is copied by the callee.
        let opened = unsafe {
            compressors(compress_lz4, compress_zlib);
            open(self.raw, name.as_ptr())
        };
        if opened == 0 {
            return Err(Error::file("create", path, "the waveform could not be opened"));
        }
        self.tracing = Some(Tracing { dump, flush });
        Ok(())
    }

    /// Ports of the top module.
    pub fn ports(&self) -> &[Field] {
        &self.ports
    }

    /// Storage that was made visible or writable when the model was built.
    pub fn storage(&self) -> &[Field] {
        &self.storage
    }

    /// Lets the design settle after its inputs changed.
    pub fn eval(&self) -> Outcome {
        // SAFETY: `raw` is live and no other thread can hold this model.
        Outcome(unsafe { (self.eval)(self.raw) })
    }

    /// Sets the simulation time, in picoseconds.
    pub fn set_time(&self, ps: u64) {
        // SAFETY: as in `eval`.
        unsafe { (self.time)(self.raw, ps) }
    }

    /// Takes what the design printed since the last call, and forgets a stop.
    pub fn take_text(&self) -> String {
        // SAFETY: as in `eval`; the text ends in 0 and stays until `clear`.
        unsafe {
            let text = CStr::from_ptr((self.text)(self.raw)).to_string_lossy().into_owned();
            (self.clear)(self.raw);
            text
        }
    }

    /// Whether a waveform is being written.
    pub fn traces(&self) -> bool {
        self.tracing.is_some()
    }

    /// Adds the state at a time to the waveform, if there is one.
    pub fn dump(&self, ps: u64) {
        if let Some(tracing) = &self.tracing {
            // SAFETY: as in `eval`; the waveform is open.
            unsafe { (tracing.dump)(self.raw, ps) }
        }
    }

    /// Writes the waveform so far to its file.
    pub fn flush(&self) {
        if let Some(tracing) = &self.tracing {
            // SAFETY: as in `dump`.
            unsafe { (tracing.flush)(self.raw) }
        }
    }

    /// The value of a port of at most 64 bits.
    #[inline]
    pub fn read(&self, port: usize) -> u64 {
        let field = &self.ports[port];
        let mut value = [0; 8];
        let n = field.bytes.min(8);
        // SAFETY: the field's memory is `bytes` long and lives as long as `self`.
        unsafe { ptr::copy_nonoverlapping(field.data.as_ptr(), value.as_mut_ptr(), n) };
        u64::from_le_bytes(value)
    }

    /// Copies a port's value, little endian, into as many bytes as `to` has, at most the port's.
    #[inline]
    pub fn read_bytes(&self, port: usize, to: &mut [u8]) {
        let field = &self.ports[port];
        let n = field.bytes.min(to.len());
        // SAFETY: as in `read`; `to` is at least `n` long.
        unsafe { ptr::copy_nonoverlapping(field.data.as_ptr(), to.as_mut_ptr(), n) };
    }

    /// The same from a byte of the value on; bytes past its end are left as they are.
    #[inline]
    pub fn read_bytes_at(&self, port: usize, byte: usize, to: &mut [u8]) {
        let field = &self.ports[port];
        // SAFETY: as in `equals`.
        let held = unsafe { slice::from_raw_parts(field.data.as_ptr(), field.bytes) };
        let held = held.get(byte..).unwrap_or_default();
        let n = held.len().min(to.len());
        to[..n].copy_from_slice(&held[..n]);
    }

    /// Whether a port holds these bytes from a byte on.
    #[inline]
    pub fn equals_at(&self, port: usize, byte: usize, bytes: &[u8]) -> bool {
        let field = &self.ports[port];
        // SAFETY: as in `equals`.
        let held = unsafe { slice::from_raw_parts(field.data.as_ptr(), field.bytes) };
        held.get(byte..byte + bytes.len()) == Some(bytes)
    }

    /// Whether a port holds these bytes.
    #[inline]
    pub fn equals(&self, port: usize, bytes: &[u8]) -> bool {
        let field = &self.ports[port];
        // SAFETY: as in `read`; nothing writes the memory while the slice lives.
        let held = unsafe { slice::from_raw_parts(field.data.as_ptr(), field.bytes) };
        held.len() >= bytes.len() && &held[..bytes.len()] == bytes
    }

    /// Writes a port. The bytes must be the port's own size or shorter; bits past the port's width
    /// must be zero, which the caller sees to.
    #[inline]
    pub fn write_bytes(&self, port: usize, from: &[u8]) {
        let field = &self.ports[port];
        let n = field.bytes.min(from.len());
        // SAFETY: as in `read`; the model object is not being evaluated, so it may change.
        unsafe { ptr::copy_nonoverlapping(from.as_ptr(), field.data.as_ptr(), n) };
    }

    /// Copies bytes of storage from a byte on; `to` must lie inside.
    #[inline]
    pub fn peek(&self, storage: usize, byte: usize, to: &mut [u8]) {
        let field = &self.storage[storage];
        // SAFETY: the field's memory is `bytes` long and lives as long as `self`.
        let held = unsafe { slice::from_raw_parts(field.data.as_ptr(), field.bytes) };
        to.copy_from_slice(&held[byte..byte + to.len()]);
    }

    /// Inverts one bit of storage, counted from its first byte.
    pub fn flip(&self, storage: usize, bit: usize) {
        let field = &self.storage[storage];
        assert!(bit / 8 < field.bytes, "bit {bit} of {}", field.name);
        // SAFETY: the byte lies inside the field's memory, checked above.
        unsafe { *field.data.as_ptr().add(bit / 8) ^= 1 << (bit % 8) };
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        // SAFETY: `raw` is live and not used again; the library is still loaded.
        unsafe { (self.free)(self.raw) }
    }
}

type List = unsafe extern "C" fn(Raw, *mut *const RawField) -> u64;

fn fields(raw: Raw, list: List) -> Vec<Field> {
    let mut first = ptr::null();
    // SAFETY: `raw` is live; the callee sets `first` to an array that lives as long as the model.
    let raw_fields: &[RawField] = unsafe {
        let n = list(raw, &mut first);
        if n == 0 { &[] } else { slice::from_raw_parts(first, n as usize) }
    };
    raw_fields
        .iter()
        .filter_map(|field| {
            // SAFETY: the shim's names end in 0 and live as long as the model.
            let name = unsafe { CStr::from_ptr(field.name) }.to_string_lossy().into_owned();
            Some(Field {
                name,
                width: field.width,
                output: field.output != 0,
                data: NonNull::new(field.data)?,
                bytes: field.bytes as usize,
            })
        })
        .collect()
}

/// (from, size, to, room) -> bytes written, 0 if they did not fit.
type Compress = unsafe extern "C" fn(*const u8, u64, *mut u8, u64) -> u64;

unsafe extern "C" fn compress_lz4(from: *const u8, size: u64, to: *mut u8, room: u64) -> u64 {
    // SAFETY: the FST writer passes buffers of these sizes that do not overlap.
    let (from, to) = unsafe { buffers(from, size, to, room) };
    lz4_flex::block::compress_into(from, to).unwrap_or(0) as u64
}

unsafe extern "C" fn compress_zlib(from: *const u8, size: u64, to: *mut u8, room: u64) -> u64 {
    // SAFETY: as above.
    let (from, to) = unsafe { buffers(from, size, to, room) };
    let packed = miniz_oxide::deflate::compress_to_vec_zlib(from, 4);
    match to.get_mut(..packed.len()) {
        Some(place) => {
            place.copy_from_slice(&packed);
            packed.len() as u64
        }
        None => 0,
    }
}

/// # Safety
/// `from` must be readable for `size` bytes, `to` writable for `room` bytes, without overlap.
unsafe fn buffers<'a>(
    from: *const u8,
    size: u64,
    to: *mut u8,
    room: u64,
) -> (&'a [u8], &'a mut [u8]) {
    if size == 0 || room == 0 {
        return (&[], &mut []);
    }
    // SAFETY: the caller's promise.
    unsafe {
        (slice::from_raw_parts(from, size as usize), slice::from_raw_parts_mut(to, room as usize))
    }
}

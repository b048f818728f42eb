//! Devices, as torch writes them: `cpu`, `cuda:1`.
//!
//! Source: `c10::Device` (text form and its grammar) and `c10::DeviceType` (names and numbers).

use crate::memory::{Text, text};
use std::fmt;

/// A kind of device. The numbers are those of `c10::DeviceType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are torch's own")]
pub enum DeviceType {
    Cpu = 0,
    Cuda = 1,
    Mkldnn = 2,
    Opengl = 3,
    Opencl = 4,
    Ideep = 5,
    Hip = 6,
    Fpga = 7,
    Maia = 8,
    Xla = 9,
    Vulkan = 10,
    Xpu = 12,
    Mps = 13,
    Meta = 14,
    Hpu = 15,
    Ve = 16,
    Lazy = 17,
    Ipu = 18,
    Mtia = 19,
    Privateuseone = 20,
}

impl DeviceType {
    /// All device types that a placement can name, with their texts.
    pub const ALL: [(Self, &'static str); 20] = [
        (Self::Cpu, "cpu"),
        (Self::Cuda, "cuda"),
        (Self::Ipu, "ipu"),
        (Self::Xpu, "xpu"),
        (Self::Mkldnn, "mkldnn"),
        (Self::Opengl, "opengl"),
        (Self::Opencl, "opencl"),
        (Self::Ideep, "ideep"),
        (Self::Hip, "hip"),
        (Self::Ve, "ve"),
        (Self::Fpga, "fpga"),
        (Self::Maia, "maia"),
        (Self::Xla, "xla"),
        (Self::Lazy, "lazy"),
        (Self::Vulkan, "vulkan"),
        (Self::Mps, "mps"),
        (Self::Meta, "meta"),
        (Self::Hpu, "hpu"),
        (Self::Mtia, "mtia"),
        (Self::Privateuseone, "privateuseone"),
    ];

    /// torch's name of the type.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(device_type, _)| *device_type == self).map_or("", |(_, name)| name)
    }
}

/// A device: its type and, where it has one, its index.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Device {
    device_type: DeviceType,
    /// -1: none. torch keeps the index in 8 bits too.
    index: i8,
}

impl Device {
    /// The device a placement is on when its text names none.
    pub const CPU: Self = Self { device_type: DeviceType::Cpu, index: -1 };

    /// The type.
    pub fn device_type(self) -> DeviceType {
        self.device_type
    }

    /// The index, if one was given: 0 to 127.
    pub fn index(self) -> Option<u8> {
        u8::try_from(self.index).ok()
    }

    /// Reads `<type>` or `<type>:<index>`; on refusal, says why.
    ///
    /// The index is decimal, has no leading zero and is at most 127. torch wraps larger ones into
    /// negative numbers that it then cannot read back.
    pub(crate) fn parse(text: &str) -> Result<Self, Text> {
        let (name, index) = match text.split_once(':') {
            Some((name, index)) => (name, Some(index)),
            None => (text, None),
        };
        if text.is_empty() {
            return Err("the device is empty".into());
        }
        let known = DeviceType::ALL.iter().find(|(_, known)| *known == name);
        let Some((device_type, _)) = known else {
            return Err(text!("{name:?} is not a device type"));
        };
        let index = match index {
            None => -1,
            Some(digits) => Self::parse_index(digits)?,
        };
        Ok(Self { device_type: *device_type, index })
    }

    fn parse_index(digits: &str) -> Result<i8, Text> {
        let canonical = digits == "0" || !digits.starts_with('0');
        if digits.is_empty() || !canonical || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(text!("device index {digits:?} is not a number without leading zeros"));
        }
        digits.parse().map_err(|_| text!("device index {digits} is above 127"))
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.device_type.name())?;
        match self.index() {
            Some(index) => write!(f, ":{index}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

//! The guests: a few bytes of 16-bit code each, run straight from a VM's reset without any firmware.
//!
//! Sources are `guests/*.asm`; the assembled bytes are committed beside them, and a test assembles them
//! again and compares when `nasm` is there. Each is linked at 0 and runs with its code segment at linear
//! address 0xF0000 (segment 0xF000), the upper 64 KiB of the first MiB, where a PC's firmware would be.

/// Linear address at which a guest's code starts.
pub const CODE_ADDRESS: u64 = 0xf_0000;
/// Size of the ROM image that holds a guest, in bytes.
pub const ROM_BYTES: usize = 0x1_0000;

/// What a VM does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Guest {
    /// Halts for ever with interrupts off.
    #[default]
    Idle,
    /// Halts, and is woken by its timer 100 times a second, as an idle real guest is.
    Timer,
    /// Burns its vCPU.
    Spin,
    /// Writes port 0x80 for ever: each write is an I/O exit to the VMM.
    ExitStorm,
    /// Writes to memory that is not there for ever: each write is an MMIO exit to the VMM.
    MmioStorm,
    /// Writes one word to each page from 1 MiB to 16 MiB, over and over; needs 16 MiB of memory.
    MemoryTouch,
    /// Does what it is told, one letter at a time, through its first serial port ([`Command`]); begins idle.
    Command,
}

/// What can be told to [`Guest::Command`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Idle, woken by the timer 100 times a second.
    Idle,
    /// Spin.
    Spin,
    /// As [`Guest::ExitStorm`].
    ExitStorm,
    /// As [`Guest::MmioStorm`].
    MmioStorm,
    /// Halt for ever: takes no further commands.
    Halt,
    /// Reset, through the keyboard controller. QEMU starts the guest anew; a mini VMM ends, as Firecracker does.
    Reset,
}

impl Command {
    /// The letter that goes through the serial port.
    #[must_use]
    pub fn letter(self) -> u8 {
        match self {
            Self::Idle => b'i',
            Self::Spin => b's',
            Self::ExitStorm => b'x',
            Self::MmioStorm => b'm',
            Self::Halt => b'h',
            Self::Reset => b'r',
        }
    }
}

impl Guest {
    /// All guests.
    pub const ALL: [Self; 7] = [
        Self::Idle,
        Self::Timer,
        Self::Spin,
        Self::ExitStorm,
        Self::MmioStorm,
        Self::MemoryTouch,
        Self::Command,
    ];

    /// The stem of its files in `guests/`, and its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Timer => "timer",
            Self::Spin => "spin",
            Self::ExitStorm => "exit_storm",
            Self::MmioStorm => "mmio_storm",
            Self::MemoryTouch => "memory_touch",
            Self::Command => "command",
        }
    }

    /// The guest of that name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|guest| guest.name() == name)
    }

    /// The assembled code.
    #[must_use]
    pub fn code(self) -> &'static [u8] {
        match self {
            Self::Idle => include_bytes!("../guests/idle.bin"),
            Self::Timer => include_bytes!("../guests/timer.bin"),
            Self::Spin => include_bytes!("../guests/spin.bin"),
            Self::ExitStorm => include_bytes!("../guests/exit_storm.bin"),
            Self::MmioStorm => include_bytes!("../guests/mmio_storm.bin"),
            Self::MemoryTouch => include_bytes!("../guests/memory_touch.bin"),
            Self::Command => include_bytes!("../guests/command.bin"),
        }
    }

    /// Whether it needs a timer and an interrupt controller.
    #[must_use]
    pub fn needs_timer(self) -> bool {
        matches!(self, Self::Timer | Self::Command)
    }

    /// A 64 KiB firmware image: the code at its start, a far jump to it at the reset vector, and `hlt` between.
    #[must_use]
    pub fn rom(self) -> Vec<u8> {
        /// Where an x86 CPU fetches its first instruction, relative to the image: 16 bytes before the end.
        const RESET_VECTOR: usize = ROM_BYTES - 16;
        /// `jmp 0xf000:0x0000`
        const JUMP: [u8; 5] = [0xea, 0, 0, 0, 0xf0];
        const HALT: u8 = 0xf4;
        let mut rom = vec![HALT; ROM_BYTES];
        rom[..self.code().len()].copy_from_slice(self.code());
        rom[RESET_VECTOR..RESET_VECTOR + JUMP.len()].copy_from_slice(&JUMP);
        rom
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found_again() {
        for guest in Guest::ALL {
            assert_eq!(Guest::from_name(guest.name()), Some(guest));
        }
        assert_eq!(Guest::from_name("none"), None);
    }

    #[test]
    fn the_committed_bytes_are_what_the_sources_assemble_to() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("guests");
        let scratch = tempfile::tempdir().expect("a temporary folder");
        for guest in Guest::ALL {
            let output = scratch.path().join(guest.name());
            let run = std::process::Command::new("nasm")
                .args(["-f", "bin", "-o"])
                .arg(&output)
                .arg(format!("{}.asm", guest.name()))
                .current_dir(&folder)
                .output();
            let run = match run {
                Ok(run) => run,
                Err(error) => crate::skip!("nasm does not run: {error}"),
            };
            assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
            let assembled = std::fs::read(&output).expect("nasm's output");
            assert!(assembled == guest.code(), "guests/{0}.bin is not what {0}.asm gives", guest.name());
        }
    }
}

//! Whether a value can be trusted, and why not when it cannot.

/// The state of one value. Anything but [`Availability::Ok`] means that the number beside it must not be used:
/// unavailable is never zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Availability {
    /// Not read yet: the source's first turn has not come.
    #[default]
    Pending = 0,
    /// Read, and younger than three periods of its source.
    Ok = 1,
    /// Read once, but the source has not answered for more than three of its periods.
    Stale = 2,
    /// This kernel, machine or VMM does not have it.
    Unsupported = 3,
    /// It exists, but this process may not read it.
    Denied = 4,
    /// What it described no longer exists.
    Gone = 5,
    /// The read failed or what was read made no sense.
    Error = 6,
}

impl Availability {
    /// Every state, in the order of its number.
    pub const ALL: [Self; 7] =
        [Self::Pending, Self::Ok, Self::Stale, Self::Unsupported, Self::Denied, Self::Gone, Self::Error];

    /// The lower-case word used in JSON, `OpenMetrics` labels and on screens.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Ok => "ok",
            Self::Stale => "stale",
            Self::Unsupported => "unsupported",
            Self::Denied => "denied",
            Self::Gone => "gone",
            Self::Error => "error",
        }
    }

    /// The state of the given number; an unknown number is an [`Availability::Error`], never `Ok`.
    #[must_use]
    pub const fn from_number(number: u8) -> Self {
        match number {
            0 => Self::Pending,
            1 => Self::Ok,
            2 => Self::Stale,
            3 => Self::Unsupported,
            4 => Self::Denied,
            5 => Self::Gone,
            _ => Self::Error,
        }
    }

    /// What a failed system call says about the source behind it.
    #[must_use]
    pub const fn from_errno(errno: nix::errno::Errno) -> Self {
        use nix::errno::Errno;
        match errno {
            Errno::EACCES | Errno::EPERM => Self::Denied,
            Errno::ESRCH | Errno::ENODEV => Self::Gone,
            Errno::ENOENT | Errno::ENOSYS | Errno::EOPNOTSUPP | Errno::ENOTDIR => Self::Unsupported,
            _ => Self::Error,
        }
    }
}

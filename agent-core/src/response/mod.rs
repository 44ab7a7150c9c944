//! What is done about incidents: by playbook, within guard rails, recorded before it happens, taken back afterwards.
//!
//! ```text
//!  Incident ─▶ playbook ─▶ guard ─▶ arbiter ─▶ person? ─▶ book ─▶ record ─▶ hands ─▶ the host
//!              what        how much  who else    yes, no    what is next      do, look, take back
//! ```
//! * [`playbook`]: which incidents, which steps, in data.
//! * [`guard`]: never more than so many VMs, so often, never these, not now.
//! * [`coordinated`]: what other parties say.
//! * [`book`]: every response and how far it has come. Pure, and a fold over its own records: an agent that was killed
//!   reads them and knows what it had begun.
//! * [`hands`]: what actions do to a real host, and what can be seen of them afterwards.
//! * [`responder`]: one step after the other, each recorded before it is taken.
//!
//! An action is recorded together with how it is taken back before it is taken. After a crash the host itself is asked
//! whether it was: what is in force is not done again, what is not is, and what cannot be told is left to a person.

pub mod action;
pub mod book;
pub mod coordinated;
pub mod guard;
pub mod hands;
pub mod playbook;
mod playbook_file;
pub mod responder;

pub use action::{Action, Target, Undo};
pub use book::{Book, Entry};
pub use guard::Guard;
pub use playbook::Playbook;
pub use playbook_file::Mistake;
pub use responder::Responder;

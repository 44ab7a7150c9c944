//! `bartizan top`: the host and its VMs on a full screen.
//!
//! [`app`] holds what is shown and answers keys; [`draw`] puts it on a screen; this file owns the terminal and the
//! loop, and gives the terminal back whatever happens.

pub mod app;
mod draw;
mod panes;
mod theme;

use crate::book::Book;
use crate::cli::{Common, TopArgs};
use crate::exit::{Code, Failure};
use crate::signals::{Request, Signals};
use crate::view::live::host_name;
use crate::view::model::Viewer;
use crate::view::paint::Paint;
use crate::watch::{Watch, configure, raise_descriptor_limit};
use app::App;
use clap::ValueEnum;
use crossterm::event::{self, Event, KeyEventKind};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use ratatui::DefaultTerminal;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::time::Duration;
use theme::Theme;

/// How long a key or a signal may wait at most.
const LOOK_MS: u16 = 50;

/// The shortest time the terminal library looks for an event at all: it takes zero for "too late".
const EVENT_LOOK: Duration = Duration::from_millis(1);

/// What VMs are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum SortBy {
    /// What hurts most first
    #[default]
    Hurt,
    /// CPU use
    Cpu,
    /// Waiting for a CPU
    Wait,
    /// Resident memory
    Memory,
    /// Disk bytes a second
    Disk,
    /// Network bytes a second
    Net,
    /// Name
    Name,
}

/// Watches on a full screen until a key or a signal ends it.
///
/// # Errors
/// When there is no terminal, or the agent cannot be made.
pub fn run(common: &Common, args: &TopArgs) -> Result<(), Failure> {
    if !io::stdout().is_terminal() {
        return Err(Failure::new(
            Code::Usage,
            "top needs a terminal to draw on; bartizan run writes lines instead",
        ));
    }
    let signals = Signals::block()?;
    let config = configure(common)?;
    raise_descriptor_limit();
    let watch = Watch::start(config)?;
    crate::logger::mute();
    let app = App::new(host_name(watch.reader()), args.sort, args.filter.clone());
    let theme = Theme::new(Paint::new(common.color).is_on());
    // Also installs a panic hook that gives the terminal back before the message is printed.
    let mut terminal =
        ratatui::try_init().map_err(|error| Failure::new(Code::Io, format!("the terminal: {error}")))?;
    let result = watch_on(&mut terminal, &watch, &signals, app, theme);
    ratatui::restore();
    result
}

fn watch_on(
    terminal: &mut DefaultTerminal,
    watch: &Watch,
    signals: &Signals,
    mut app: App,
    theme: Theme,
) -> Result<(), Failure> {
    let (mut viewer, mut book) = (Viewer::default(), Book::default());
    let mut last_tick = 0;
    let mut dirty = true;
    loop {
        let reader = watch.reader();
        while let Some(alert) = reader.alerts().next() {
            book.note(&alert);
            app.note_alert(alert);
            dirty = true;
        }
        let tick = reader.tick().number;
        if tick != last_tick && !app.is_paused() {
            last_tick = tick;
            let view = viewer.look(reader, &book.counts());
            let parts = app.drilled().map(|vm| viewer.parts(reader, &vm));
            app.update(view, parts, reader.host().sources.clone());
            dirty = true;
        }
        if dirty {
            terminal.draw(|frame| draw::draw(frame, &mut app, theme))?;
            dirty = false;
        }
        match look_for_keys(signals)? {
            Keys::None => {}
            // Nobody looks any more: the terminal was closed, or the connection to it lost.
            Keys::Lost => return Ok(()),
            Keys::Waiting => match event::read()? {
                Event::Key(key) if key.kind != KeyEventKind::Release => {
                    if app.key(key) == app::Next::Quit {
                        return Ok(());
                    }
                    // What a key opened is filled at once, not at the next tick.
                    if let Some(vm) = app.drilled() {
                        app.set_parts(viewer.parts(reader, &vm));
                    }
                    dirty = true;
                }
                Event::Resize(..) => dirty = true,
                _ => {}
            },
        }
        while let Some(request) = signals.next() {
            if request == Request::Stop {
                return Ok(());
            }
        }
    }
}

/// What the terminal has for us.
enum Keys {
    None,
    Waiting,
    Lost,
}

/// Waits a moment for keys or a signal. The terminal is polled here first, because the library's own poll does not
/// return from a terminal that was hung up.
fn look_for_keys(signals: &Signals) -> Result<Keys, Failure> {
    let terminal = std::io::stdin();
    let mut fds =
        [PollFd::new(terminal.as_fd(), PollFlags::POLLIN), PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
    match poll(&mut fds, LOOK_MS) {
        Ok(_) => {}
        Err(Errno::EINTR) => return Ok(Keys::None),
        Err(errno) => return Err(Failure::new(Code::Io, format!("the terminal: {errno}"))),
    }
    let terminal = fds[0].revents().unwrap_or(PollFlags::empty());
    if terminal.intersects(PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL) {
        return Ok(Keys::Lost);
    }
    // A resize arrives without a byte from the terminal.
    Ok(if event::poll(EVENT_LOOK)? { Keys::Waiting } else { Keys::None })
}

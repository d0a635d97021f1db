use domain::policy::Inbox;

/// Who carries an inbox's short messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Carrier {
    Twilio,
    Smpp,
    /// Whom the inbox's other settings describe.
    Http,
}

impl Carrier {
    /// # Errors
    /// The setting that says so, and what is wrong with it.
    pub fn of(inbox: &Inbox) -> Result<Carrier, (&'static str, String)> {
        match inbox.settings.get("provider").map(String::as_str) {
            None | Some("twilio") => Ok(Carrier::Twilio),
            Some("smpp") => Ok(Carrier::Smpp),
            Some("http") => Ok(Carrier::Http),
            Some(_) => Err(("provider", "it is `twilio`, `smpp` or `http`".into())),
        }
    }
}

//! The body of a Cloud API call, for WhatsApp.

use domain::{Button, ButtonDoes, Choice, ChoiceList, Template};
use serde_json::{Value, json};

use super::page::fits;
use crate::messenger::platform::{Limits, WHATSAPP};
use crate::{Attachment, Outgoing};

/// `files`: the platform's id of each attachment that was uploaded. Fails, with the reason, where the message does not fit.
pub(super) fn message(message: &Outgoing, files: &[Option<String>]) -> Result<Value, String> {
    let limits = &WHATSAPP.limits;
    let rich = message.chat.rich.as_deref().cloned().unwrap_or_default();
    if !rich.cards.is_empty() || !rich.asks.is_empty() {
        return Err("WhatsApp shows no cards, and asks for nothing".to_owned());
    }
    let (kind, content) = match message.attachments.as_slice() {
        [] => match (&rich.template, &rich.list, rich.buttons.as_slice()) {
            (Some(template), None, []) if message.text.is_empty() => ("template", self::template(template)),
            (None, Some(list), []) => ("interactive", self::list(limits, &message.text, list)?),
            (None, None, []) if fits_buttons(limits, &message.quick_replies) => {
                let replies = message.quick_replies.iter().map(|reply| (reply.as_str(), reply.as_str()));
                ("interactive", reply_buttons(limits, &message.text, replies)?)
            }
            (None, None, []) => {
                fits("text", &message.text, limits.text.is)?;
                ("text", json!({ "body": message.text }))
            }
            (None, None, buttons) => ("interactive", self::buttons(limits, &message.text, buttons)?),
            _ => return Err("a template stands alone, and a list without buttons".to_owned()),
        },
        [attachment] if rich == domain::Rich::default() => {
            media(attachment, &message.text, files.first().and_then(Option::as_deref))?
        }
        _ => return Err("a message here has one attachment at most, and shows nothing beside it".to_owned()),
    };
    let mut body = json!({
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": message.to,
        "type": kind,
        "biz_opaque_callback_data": message.key,
    });
    body[kind] = content;
    Ok(body)
}

fn media<'a>(
    attachment: &'a Attachment,
    caption: &str,
    uploaded: Option<&str>,
) -> Result<(&'a str, Value), String> {
    let kind = if attachment.kind == "file" { "document" } else { &attachment.kind };
    let mut media = match (uploaded, &attachment.url) {
        (Some(id), _) => json!({ "id": id }),
        (None, Some(url)) => json!({ "link": url }),
        (None, None) => return Err("an attachment has neither a URL nor a file".to_owned()),
    };
    if !caption.is_empty() {
        media["caption"] = json!(caption);
    }
    if let Some(name) = attachment.name.as_ref().filter(|_| kind == "document") {
        media["filename"] = json!(name);
    }
    Ok((kind, media))
}

fn template(template: &Template) -> Value {
    let parameters = template.parameters.iter().map(|text| json!({ "type": "text", "text": text }));
    let parameters: Vec<Value> = parameters.collect();
    let mut content = json!({ "name": template.name, "language": { "code": template.language } });
    if !parameters.is_empty() {
        content["components"] = json!([{ "type": "body", "parameters": parameters }]);
    }
    content
}

fn list(limits: &Limits, text: &str, list: &ChoiceList) -> Result<Value, String> {
    let Some(rule) = limits.list else { return Err("this channel shows no lists".to_owned()) };
    let ((most, title, description), (_, button, body)) = (rule.is, limits.buttons.is);
    fits("text", text, body)?;
    fits("list's button", &list.button, button)?;
    if !(1..=most).contains(&list.rows.len()) {
        return Err(format!("there are {} rows; 1 to {most} may be", list.rows.len()));
    }
    let row = |choice: &Choice| {
        fits("row's title", &choice.title, title)?;
        let mut row = json!({ "id": choice.id, "title": choice.title });
        if let Some(text) = &choice.description {
            fits("row's description", text, description)?;
            row["description"] = json!(text);
        }
        Ok(row)
    };
    let rows: Vec<Value> = list.rows.iter().map(row).collect::<Result<_, String>>()?;
    let action = json!({ "button": list.button, "sections": [{ "rows": rows }] });
    Ok(json!({ "type": "list", "body": { "text": text }, "action": action }))
}

fn buttons(limits: &Limits, text: &str, buttons: &[Button]) -> Result<Value, String> {
    if let [Button { title, does: ButtonDoes::Open(url) }] = buttons {
        fits("text", text, limits.buttons.is.2)?;
        fits("button's title", title, limits.buttons.is.1)?;
        let parameters = json!({ "display_text": title, "url": url });
        let action = json!({ "name": "cta_url", "parameters": parameters });
        return Ok(json!({ "type": "cta_url", "body": { "text": text }, "action": action }));
    }
    let post = |button: &'_ Button| match &button.does {
        ButtonDoes::Post(payload) => Ok((payload.clone(), button.title.clone())),
        _ => Err("WhatsApp shows one button that opens a page, or some that come back".to_owned()),
    };
    let posts = buttons.iter().map(post).collect::<Result<Vec<_>, String>>()?;
    reply_buttons(limits, text, posts.iter().map(|(id, title)| (id.as_str(), title.as_str())))
}

fn reply_buttons<'a>(
    limits: &Limits,
    text: &str,
    replies: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<Value, String> {
    let (most, title, body) = limits.buttons.is;
    fits("text", text, body)?;
    let mut buttons = Vec::new();
    for (id, name) in replies {
        fits("button's title", name, title)?;
        buttons.push(json!({ "type": "reply", "reply": { "id": id, "title": name } }));
    }
    if buttons.len() > most {
        return Err(format!("there are {} buttons; {most} are the most", buttons.len()));
    }
    Ok(json!({ "type": "button", "body": { "text": text }, "action": { "buttons": buttons } }))
}

/// Answers are shown as buttons where they fit, and else not at all.
fn fits_buttons(limits: &Limits, replies: &[String]) -> bool {
    let (most, longest) = limits.quick_replies.is;
    (1..=most).contains(&replies.len())
        && replies.iter().all(|reply| (1..=longest).contains(&reply.chars().count()))
}

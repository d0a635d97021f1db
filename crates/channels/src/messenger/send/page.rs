//! The body of a Send API call, for Messenger and Instagram.

use domain::{AskFor, Button, ButtonDoes, Card};
use serde_json::{Value, json};

use super::Tag;
use crate::messenger::Kind;
use crate::messenger::platform::Limits;
use crate::{Attachment, Outgoing};

/// `files`: the platform's id of each attachment that was uploaded. Fails, with the reason, where the message does not fit.
pub(super) fn message(
    kind: Kind,
    message: &Outgoing,
    tag: Option<Tag>,
    files: &[Option<String>],
) -> Result<Value, String> {
    let limits = &kind.platform().limits;
    let rich = message.chat.rich.as_deref();
    if rich.is_some_and(|rich| rich.template.is_some() || rich.list.is_some()) {
        return Err("templates to approve and lists are WhatsApp's".to_owned());
    }
    let cards = rich.map_or(&[][..], |rich| &rich.cards);
    let buttons = rich.map_or(&[][..], |rich| &rich.buttons);
    let mut content = match message.attachments.as_slice() {
        [] if !cards.is_empty() => {
            if !message.text.is_empty() || !buttons.is_empty() {
                return Err("cards stand alone, with their own titles and buttons".to_owned());
            }
            generic(limits, cards)?
        }
        [] if !buttons.is_empty() => {
            fits("text", &message.text, limits.buttons.is.2)?;
            template(json!({
                "template_type": "button",
                "text": message.text,
                "buttons": self::buttons(limits, buttons)?,
            }))
        }
        [] => {
            let length = match limits.text_in_bytes {
                true => message.text.len(),
                false => message.text.chars().count(),
            };
            if length > limits.text.is {
                return Err(format!("the text has {length} characters; {} are the most", limits.text.is));
            }
            json!({ "text": message.text })
        }
        [attachment] if message.text.is_empty() && cards.is_empty() && buttons.is_empty() => {
            media(attachment, files.first().and_then(Option::as_deref))?
        }
        _ => return Err("a message here is either a text or one attachment".to_owned()),
    };
    content["metadata"] = json!(message.key);
    let asks = rich.map_or(&[][..], |rich| &rich.asks);
    if !message.quick_replies.is_empty() || !asks.is_empty() {
        content["quick_replies"] = quick_replies(limits, &message.quick_replies, asks);
    }
    let (messaging_type, tag) = match tag {
        None => ("RESPONSE", None),
        Some(Tag::HumanAgent) => ("MESSAGE_TAG", Some("HUMAN_AGENT")),
    };
    let mut body = json!({
        "recipient": { "id": message.to },
        "messaging_type": messaging_type,
        "message": content,
    });
    if let Some(tag) = tag {
        body["tag"] = json!(tag);
    }
    Ok(body)
}

fn media(attachment: &Attachment, uploaded: Option<&str>) -> Result<Value, String> {
    let payload = match (uploaded, &attachment.url) {
        (Some(id), _) => json!({ "attachment_id": id }),
        (None, Some(url)) => json!({ "url": url }),
        (None, None) => return Err("an attachment has neither a URL nor a file".to_owned()),
    };
    Ok(json!({ "attachment": { "type": attachment.kind, "payload": payload } }))
}

fn quick_replies(limits: &Limits, replies: &[String], asks: &[AskFor]) -> Value {
    let (most, longest) = limits.quick_replies.is;
    let asks = asks.iter().map(|ask| match ask {
        AskFor::Email => json!({ "content_type": "user_email" }),
        AskFor::Phone => json!({ "content_type": "user_phone_number" }),
    });
    let replies = replies.iter().map(|reply| {
        let title: String = reply.chars().take(longest).collect();
        json!({ "content_type": "text", "title": title, "payload": reply })
    });
    replies.take(most - asks.len().min(most)).chain(asks).collect()
}

fn template(payload: Value) -> Value {
    json!({ "attachment": { "type": "template", "payload": payload } })
}

fn generic(limits: &Limits, cards: &[Card]) -> Result<Value, String> {
    let Some(rule) = limits.cards else { return Err("this channel shows no cards".to_owned()) };
    let (most, title, subtitle) = rule.is;
    if cards.len() > most {
        return Err(format!("there are {} cards; {most} are the most", cards.len()));
    }
    let card = |card: &Card| {
        fits("card's title", &card.title, title)?;
        let mut element = json!({ "title": card.title });
        if let Some(text) = &card.subtitle {
            fits("card's subtitle", text, subtitle)?;
            element["subtitle"] = json!(text);
        }
        if let Some(image) = &card.image {
            element["image_url"] = json!(image);
        }
        if !card.buttons.is_empty() {
            element["buttons"] = buttons(limits, &card.buttons)?;
        }
        Ok(element)
    };
    let elements: Vec<Value> = cards.iter().map(card).collect::<Result<_, String>>()?;
    Ok(template(json!({ "template_type": "generic", "elements": elements })))
}

fn buttons(limits: &Limits, buttons: &[Button]) -> Result<Value, String> {
    let (most, title, _) = limits.buttons.is;
    if buttons.len() > most {
        return Err(format!("there are {} buttons; {most} are the most", buttons.len()));
    }
    let button = |button: &Button| {
        fits("button's title", &button.title, title)?;
        let title = &button.title;
        Ok(match &button.does {
            ButtonDoes::Open(url) => json!({ "type": "web_url", "title": title, "url": url }),
            ButtonDoes::Post(payload) => json!({ "type": "postback", "title": title, "payload": payload }),
            ButtonDoes::Call(number) => json!({ "type": "phone_number", "title": title, "payload": number }),
        })
    };
    buttons.iter().map(button).collect::<Result<Vec<Value>, String>>().map(Value::from)
}

/// What must say something, and no more than so many characters.
pub(super) fn fits(what: &str, text: &str, most: usize) -> Result<(), String> {
    match text.chars().count() {
        0 => Err(format!("a {what} is empty")),
        count if count > most => Err(format!("a {what} has {count} characters; {most} are the most")),
        _ => Ok(()),
    }
}

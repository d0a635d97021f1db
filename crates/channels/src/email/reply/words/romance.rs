//! French, Spanish, Portuguese, Italian, Catalan, Romanian.

use super::{Language, NONE};

pub(super) const LANGUAGES: &[Language] = &[
    // French
    Language {
        opens: "le |en date du |citation de |quoting |lun. |mar. |mer. |jeu. |ven. |sam. |dim. |",
        said: "a écrit|a ecrit|écrit|écrivait|a envoyé|a écrit ceci|écrivit|a répondu",
        inside: "a écrit|écrit",
        from: "de|expéditeur|de la part de",
        telling: "envoyé|objet|envoyé le|date d'envoi|date d’envoi|sujet|envoyé par",
        fields: "date|à|a|pour|cc|copie à|copie|répondre à|pièces jointes|importance|destinataire|cci",
        separators: "message d'origine|message d’origine|message original|message originel|message transféré|\
            message initial|mail original|e-mail d'origine|début du message transféré|\
            début du message réexpédié|courriel d'origine|courriel original|message d'origine ci-dessous|\
            fin du message transféré|message réexpédié|répondez au-dessus de cette ligne",
        devices: "envoyé de mon …|envoyé depuis …|envoyé à partir …|envoyé avec …|envoyé par …mail…|\
            obtenir outlook pour …|télécharger outlook pour …|téléchargez outlook pour …|envoyé via …|\
            provenance : courrier…|envoyé de l'…|obtenez outlook pour …",
        farewells: "cordialement|bien cordialement|très cordialement|bien à vous|cdt|cdlt|amicalement|\
            sincères salutations|salutations|meilleures salutations|bonne journée|bien à toi|merci|\
            merci d'avance|merci par avance|respectueusement|bises|sincèrement|à bientôt|\
            bonne réception|cordiales salutations",
        disclaimers: "ce message et toutes les pièces|ce message et ses|ce courriel et|ce message est confidentiel|\
            ce message est destiné|les informations contenues dans ce|ce message électronique|\
            le présent message|ce courriel peut contenir|pensez à l'environnement|avis de confidentialité|\
            cet e-mail et|l'intégrité de ce message",
    },
    // Spanish
    Language {
        opens: "el |a las |con fecha |en fecha |",
        said: "escribió|escribio|ha escrito|escribía|escribe|envió|escrita|comentó|ha escrito lo siguiente",
        inside: "escribió|escribio|ha escrito",
        from: "de|remitente|desde",
        telling: "enviado|enviado el|asunto|enviada|fecha de envío|enviado a las",
        fields: "fecha|para|a|cc|con copia|responder a|adjuntos|importancia|cco|datos adjuntos",
        separators: "mensaje original|mensaje reenviado|mensaje de origen|inicio del mensaje reenviado|\
            correo original|mensaje anterior|fin del mensaje reenviado|correo reenviado|\
            responda por encima de esta línea|comienzo del mensaje reenviado",
        devices: "enviado desde …|enviado con …|enviado a través …|obtener outlook para …|\
            obtén outlook para …|descargar outlook para …|enviado vía …|enviado mediante …|enviado de mi …",
        farewells: "saludos|un saludo|saludos cordiales|cordiales saludos|atentamente|gracias|muchas gracias|\
            un cordial saludo|cordialmente|un abrazo|atte|atte.|gracias y saludos|muchas gracias y saludos|\
            quedo atento|quedo a la espera|afectuosamente|reciba un cordial saludo",
        disclaimers: "este mensaje y|este correo electrónico|este mensaje contiene|este mensaje se dirige|\
            la información contenida en este|aviso legal|aviso de confidencialidad|este e-mail|\
            antes de imprimir|este correo y",
    },
    // Portuguese
    Language {
        opens: "em |a |no dia |na |",
        said: "escreveu|escreveram|escreveu o seguinte|enviou|disse",
        inside: "escreveu",
        from: "de|remetente",
        telling: "enviado|enviada|enviado em|enviada em|assunto|enviado a|enviada a",
        fields: "data|para|a|cc|com cópia|responder a|anexos|responder para|prioridade|cco",
        separators: "mensagem original|mensagem encaminhada|mensagem reencaminhada|início da mensagem reencaminhada|\
            início da mensagem encaminhada|email original|mensagem de origem|fim da mensagem encaminhada",
        devices: "enviado do …|enviado de …|enviada do …|enviado pelo …|enviado a partir …|enviado através …|\
            obter o outlook para …|obter outlook para …|baixe o outlook para …|enviado com …|enviado via …|\
            obtenha o outlook para …",
        farewells: "atenciosamente|cumprimentos|com os melhores cumprimentos|melhores cumprimentos|obrigado|\
            obrigada|abraços|abraço|att|att.|grato|grata|cordialmente|saudações|um abraço|muito obrigado|\
            muito obrigada|com os meus cumprimentos|sem mais|desde já agradeço",
        disclaimers: "esta mensagem e|esta mensagem pode conter|este e-mail|este email|esta mensagem contém|\
            as informações contidas|a informação contida|aviso legal|aviso de confidencialidade|\
            antes de imprimir",
    },
    // Italian
    Language {
        opens: "il |in data |il giorno |alle |citazione |",
        said: "ha scritto|scrisse|scrive|ha scritto quanto segue|ha inviato|scriveva",
        inside: "ha scritto",
        from: "da|mittente",
        telling: "inviato|oggetto|inviata|data invio|inviato il",
        fields: "data|a|per|cc|rispondi a|allegati|priorità|destinatario|ccn",
        separators: "messaggio originale|messaggio inoltrato|messaggio originario|inizio messaggio inoltrato|\
            inizio del messaggio inoltrato|email originale|fine messaggio inoltrato|messaggio di origine",
        devices: "inviato da …|inviato con …|inviato dal …|inviata da …|ottieni outlook per …|\
            scarica outlook per …|inviato tramite …|inviato dall'…",
        farewells: "cordiali saluti|distinti saluti|saluti|un saluto|grazie|cordialmente|a presto|\
            un cordiale saluto|tanti saluti|grazie mille|buona giornata|grazie e saluti|in attesa|\
            porgo cordiali saluti|migliori saluti",
        disclaimers: "questo messaggio e|le informazioni contenute|questa e-mail|questo messaggio è|\
            il presente messaggio|avviso di riservatezza|prima di stampare|ai sensi del|questa email",
    },
    // Catalan
    Language {
        opens: "el |missatge de |",
        said: "va escriure|ha escrit|escrigué|va escriure el següent",
        inside: "va escriure|missatge",
        from: "de",
        telling: "enviat|assumpte|tema",
        fields: "data|a|per a|cc|a/c",
        separators: "missatge original|missatge reenviat",
        devices: "enviat des …|enviat amb …",
        farewells: "salutacions|salutacions cordials|atentament|gràcies|moltes gràcies|cordialment",
        ..NONE
    },
    // Galician
    Language { opens: "o |", said: "escribiu", from: "de", telling: "enviado|asunto", ..NONE },
    // Romanian
    Language {
        opens: "în |pe |la |",
        said: "a scris|a scris următoarele|scria",
        inside: "a scris",
        from: "de la|expeditor",
        telling: "trimis|subiect|trimis la|subiectul",
        fields: "data|către|cc|la|catre|răspuns către",
        separators: "mesaj original|mesaj redirecționat|mesajul original|mesaj forwardat|mesaj înaintat",
        devices: "trimis de pe …|trimis din …|descărcați outlook pentru …|trimis cu …|obțineți outlook pentru …",
        farewells: "cu stimă|cu respect|mulțumesc|mulțumiri|toate cele bune|cu considerație|o zi bună|\
            numai bine|vă mulțumesc",
        disclaimers: "acest mesaj|acest e-mail|informațiile conținute",
    },
];

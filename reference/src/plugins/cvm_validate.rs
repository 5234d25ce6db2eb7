//! `cvm-validate`: refuses recipients that a credential module does not know (CVMV-1 … 15).

use bstr::{BString, ByteSlice};

use crate::{
    credentials::{
        check,
        modules::{LOOKUP_SECRET, Modules, Question, Verdict, out_of_scope},
    },
    plugin::{Answer, Finding, Hook, Module},
    response::Response,
    session::Session,
    wire::cvm::{CREDENTIAL_MAX, Credential},
};

const CVM_LOOKUP: &str = "CVM_LOOKUP";

/// The plugin. Without modules it has no opinion.
#[derive(Default)]
pub struct CvmValidate {
    modules: Option<Modules>,
    secret: BString,
}

impl Module for CvmValidate {
    fn has(&self, hook: Hook) -> bool {
        matches!(hook, Hook::Init | Hook::Recipient)
    }

    fn check(&self, session: &Session) -> Vec<Finding> {
        check::look_up(self.modules.as_ref(), &self.secret, session.setting(CVM_LOOKUP).is_some())
    }

    /// Settings of the process only; a mail rule cannot change them (CVMV-1).
    fn init(&mut self, session: &Session) -> Answer {
        let list = session.setting(CVM_LOOKUP).filter(|list| !list.is_empty());
        self.modules = list.map(|list| Modules::from_list(&list));
        let (own, general) = (session.setting(LOOKUP_SECRET), session.setting("LOOKUP_SECRET"));
        self.secret = own.or(general).unwrap_or_default();
        None
    }

    fn recipient(&mut self, session: &Session, address: &mut BString, _: &mut BString) -> Answer {
        let modules = self.modules.as_ref()?;
        let at = address.rfind_byte(b'@')?;
        let (account, domain) = (&address[..at], &address[at + 1..]);
        // No module can be asked for such a name, and none has it (CVMV-10).
        if account.len() > CREDENTIAL_MAX || domain.len() > CREDENTIAL_MAX {
            return Some(no_such_recipient());
        }
        let credentials = [(Credential::Account, account), (Credential::Domain, domain)];
        let question = Question::LookUp(&credentials, &self.secret);
        match modules.ask(question, &session.exported(), session.connection.patience()) {
            Verdict::Accepted(_) => None,
            Verdict::Rejected(facts) if out_of_scope(&facts) == Some(1) => None,
            Verdict::Rejected(_) => Some(no_such_recipient()),
            Verdict::Failed(_) => {
                let text = "4.1.0 Sorry, I could not verify that recipient (internal temporary error).";
                Some(Response::new(451, text))
            }
        }
    }
}

fn no_such_recipient() -> Response {
    Response::new(553, "5.1.1 Sorry, that recipient does not exist.")
}

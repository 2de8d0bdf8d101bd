"""Names that are often imitated, with domains of their owners: our own list, far from complete."""

from __future__ import annotations

from functools import cache

_LIST = """
Apple: apple.com icloud.com me.com; iCloud: icloud.com apple.com; Google: google.com gmail.com youtube.com goo.gl
Gmail: gmail.com google.com; YouTube: youtube.com youtu.be; Microsoft: microsoft.com live.com microsoftonline.com
Office365: office.com microsoft.com office365.com; Outlook: outlook.com microsoft.com; Hotmail: hotmail.com live.com
OneDrive: onedrive.com live.com; SharePoint: sharepoint.com microsoft.com; Windows: windows.com microsoft.com
Azure: azure.com microsoft.com; Teams: teams.com microsoft.com; Skype: skype.com; LinkedIn: linkedin.com lnkd.in
GitHub: github.com github.io githubusercontent.com; GitLab: gitlab.com gitlab.io
Amazon: amazon.com amazonaws.com aws.amazon.com; Facebook: facebook.com fb.com fb.me; Instagram: instagram.com
WhatsApp: whatsapp.com wa.me; Messenger: messenger.com; Twitter: twitter.com x.com; TikTok: tiktok.com
Snapchat: snapchat.com; Pinterest: pinterest.com; Reddit: reddit.com; Telegram: telegram.org t.me
Discord: discord.com discord.gg discordapp.com; Signal: signal.org; Slack: slack.com; Netflix: netflix.com
Spotify: spotify.com; Disney: disney.com disneyplus.com; Steam: steampowered.com steamcommunity.com
SteamCommunity: steamcommunity.com; Roblox: roblox.com; Epic Games: epicgames.com; Twitch: twitch.tv
PayPal: paypal.com paypal.me; Venmo: venmo.com; Stripe: stripe.com; Klarna: klarna.com; Revolut: revolut.com
Wise: wise.com; eBay: ebay.com ebay.de ebay.co.uk; AliExpress: aliexpress.com; Alibaba: alibaba.com
Walmart: walmart.com; Costco: costco.com; Shopify: shopify.com myshopify.com; Etsy: etsy.com; Booking: booking.com
Airbnb: airbnb.com; Uber: uber.com; Coinbase: coinbase.com; Binance: binance.com; Kraken: kraken.com
MetaMask: metamask.io; Blockchain: blockchain.com; Ledger: ledger.com; Trezor: trezor.io; OpenSea: opensea.io
Chase: chase.com; Wells Fargo: wellsfargo.com; Bank of America: bankofamerica.com bofa.com
Citibank: citi.com citibank.com; Capital One: capitalone.com; American Express: americanexpress.com
Amex: americanexpress.com; Mastercard: mastercard.com; Visa: visa.com; HSBC: hsbc.com hsbc.co.uk
Barclays: barclays.com barclays.co.uk; Lloyds: lloydsbank.com; NatWest: natwest.com
Santander: santander.com santander.co.uk santander.es; BBVA: bbva.com bbva.mx bbva.es; ING: ing.com ing.de ing.nl
Deutsche Bank: deutsche-bank.de db.com; Commerzbank: commerzbank.de commerzbank.com; Sparkasse: sparkasse.de
Postbank: postbank.de; UniCredit: unicredit.it unicredit.eu; BNP Paribas: bnpparibas.com
Credit Agricole: credit-agricole.fr; Rabobank: rabobank.nl rabobank.com; DHL: dhl.com dhl.de; FedEx: fedex.com
UPS: ups.com; USPS: usps.com usps.gov; DPD: dpd.com dpd.de; Royal Mail: royalmail.com; Correos: correos.es
La Poste: laposte.fr; Deutsche Post: deutschepost.de; Poste Italiane: poste.it; Swiss Post: post.ch
DocuSign: docusign.com docusign.net; Dropbox: dropbox.com; WeTransfer: wetransfer.com we.tl; Adobe: adobe.com
Zoom: zoom.us zoom.com; Webex: webex.com; Salesforce: salesforce.com force.com; Okta: okta.com
OneLogin: onelogin.com; Duo: duo.com duosecurity.com; LastPass: lastpass.com; 1Password: 1password.com
Bitwarden: bitwarden.com; Dashlane: dashlane.com; Atlassian: atlassian.com atlassian.net; Oracle: oracle.com
SAP: sap.com; IBM: ibm.com; Intel: intel.com; Nvidia: nvidia.com; Cisco: cisco.com; VMware: vmware.com
Citrix: citrix.com; Fortinet: fortinet.com; Palo Alto Networks: paloaltonetworks.com; CrowdStrike: crowdstrike.com
Cloudflare: cloudflare.com; GoDaddy: godaddy.com; Namecheap: namecheap.com; WordPress: wordpress.com wordpress.org
Yahoo: yahoo.com; AOL: aol.com; ProtonMail: protonmail.com proton.me; Yandex: yandex.ru yandex.com; Baidu: baidu.com
Tencent: tencent.com; WeChat: wechat.com; Samsung: samsung.com; Huawei: huawei.com; Xiaomi: xiaomi.com mi.com
Sony: sony.com; PlayStation: playstation.com; Nintendo: nintendo.com; Xbox: xbox.com; Verizon: verizon.com
T-Mobile: t-mobile.com t-mobile.de; AT&T: att.com; Vodafone: vodafone.com; Comcast: comcast.com comcast.net
Xfinity: xfinity.com; Telekom: telekom.de telekom.com; Wikipedia: wikipedia.org; OpenAI: openai.com chatgpt.com
ChatGPT: chatgpt.com openai.com; Anthropic: anthropic.com claude.ai; Mozilla: mozilla.org firefox.com
Norton: norton.com; McAfee: mcafee.com; Trust Wallet: trustwallet.com; IRS: irs.gov; HMRC: gov.uk; MyGov: my.gov.au
Indeed: indeed.com; Fidelity: fidelity.com; Schwab: schwab.com
"""
MEANINGS = frozenset(
    "chase visa wise duo oracle signal messenger windows teams outlook azure indeed blockchain ledger booking discord "
    "slack zoom uber steam sap ing amex ups aol irs ibm apple kraken intel stripe".split()
)
"""Names that are words or parts of words: they count only where they stand alone between dots and hyphens."""


@cache
def brands() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Lower-case label → name and the domains of its owner."""
    found = {}
    for entry in _LIST.replace("\n", ";").split(";"):
        name, colon, domains = entry.strip().partition(":")
        if colon:
            label = "".join(c for c in name.lower() if c.isalnum())
            found[label] = (name, tuple(domains.split()))
    return found


@cache
def owned() -> frozenset[str]:
    return frozenset(domain for _, domains in brands().values() for domain in domains)

"""The style sheet of documents: one column that reads at a notebook's width, in light and dark, and on paper."""

from __future__ import annotations

__all__ = ["CSS"]

CSS = """
:root{color-scheme:light dark;--text:#1f2328;--muted:#57606a;--page:#fff;--soft:#f5f7f9;--line:#d9dfe5;
--prompt:#1a65b8;--answer:#8a95a0;--fail:#b3261e;--warn:#8a5a00}
@media (prefers-color-scheme:dark){:root{--text:#e3e7eb;--muted:#a3adb8;--page:#14181d;--soft:#1d232a;--line:#343c46;
--prompt:#7db5f5;--answer:#69747f;--fail:#ff8b80;--warn:#e3b25c}}
*{box-sizing:border-box}
html{background:var(--page)}
body{margin:0 auto;max-width:880px;padding:40px 24px 64px;background:var(--page);color:var(--text);
font:15px/1.6 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;overflow-wrap:break-word}
h1{font-size:28px;line-height:1.2;letter-spacing:-.01em;margin:4px 0 8px}
h2{font-size:18px;line-height:1.3;margin:40px 0 12px;padding-bottom:6px;border-bottom:1px solid var(--line)}
.sub{font-size:15px;margin:22px 0 8px}
.kind{color:var(--muted);font-size:13px;margin:0}
.about{margin:0 0 8px;max-width:70ch;white-space:pre-line}
.facts{display:grid;grid-template-columns:max-content 1fr;gap:3px 18px;margin:18px 0 0;padding:14px 16px;
border:1px solid var(--line);border-radius:8px;background:var(--soft);font-size:13.5px}
.facts dt{color:var(--muted)}
.facts dd{margin:0;min-width:0;overflow-wrap:anywhere;font-variant-numeric:tabular-nums}
.scroll{overflow-x:auto}
.grid{border-collapse:collapse;width:100%;font-size:13px;line-height:1.45;font-variant-numeric:tabular-nums}
.grid th{text-align:left;font-weight:600;color:var(--muted);vertical-align:bottom;padding:5px 14px 5px 0;
border-bottom:1px solid var(--line)}
.grid td{padding:5px 14px 5px 0;vertical-align:top;border-bottom:1px solid var(--line);overflow-wrap:break-word}
.grid tr:last-child td{border-bottom:0}
.grid .number{text-align:right;white-space:nowrap}
.grid .short{white-space:nowrap;overflow-wrap:normal}
.grid .day{white-space:nowrap}
.grid .hash{font:11.5px/1.5 ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace}
.contents{margin:0;padding:0;list-style:none;font-size:14px}
.contents li{display:flex;gap:12px;padding:2px 0}
.contents .n{color:var(--muted);min-width:2ch;text-align:right;font-variant-numeric:tabular-nums}
.contents a{color:inherit;text-decoration:none;min-width:0;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.contents a:hover,.contents a:focus-visible{text-decoration:underline}
.turn{border-top:1px solid var(--line);padding:14px 0 18px}
.turn:first-of-type{border-top:0;padding-top:4px}
.turn>summary{cursor:pointer;display:flex;gap:12px;align-items:baseline;list-style:none}
.turn>summary::-webkit-details-marker{display:none}
.turn>summary::before{content:"\\25B8";color:var(--muted);font-size:12px;width:10px;flex:none}
.turn[open]>summary::before{content:"\\25BE"}
.turn>summary .ask{flex:1;min-width:0;font-weight:600;overflow-wrap:anywhere}
.turn>summary .when{color:var(--muted);font-size:12.5px;white-space:nowrap;font-variant-numeric:tabular-nums}
.turn>.body{padding-left:22px}
.label{color:var(--muted);font-size:12px;margin:14px 0 4px}
.prompt{border-left:3px solid var(--prompt);padding:1px 0 1px 14px;white-space:pre-wrap;overflow-wrap:anywhere}
.answer{border-left:3px solid var(--answer);padding:1px 0 1px 14px;min-width:0}
.answer.error{border-left-color:var(--fail)}
.answer.incomplete,.answer.interrupted{border-left-color:var(--warn)}
.failed strong{color:var(--fail)}
.stopped strong{color:var(--warn)}
.quiet{color:var(--muted);font-size:13px;margin:6px 0}
.steps{margin-top:10px}
.findings{border-left:3px solid var(--answer);padding:1px 0 1px 14px}
footer{margin-top:48px;padding-top:12px;border-top:1px solid var(--line);color:var(--muted);font-size:12.5px}
summary:focus-visible,a:focus-visible{outline:2px solid var(--prompt);outline-offset:2px;border-radius:3px}
@media (max-width:560px){body{padding:24px 16px 40px}.facts{grid-template-columns:1fr;gap:0}
.facts dd{margin-bottom:8px}.turn>summary{flex-wrap:wrap}.turn>.body{padding-left:0}}
@media print{
:root{color-scheme:light;--text:#000;--muted:#4a4f55;--page:#fff;--soft:#f7f8f9;--line:#c4cad0;
--prompt:#1a65b8;--answer:#8a95a0;--fail:#b3261e;--warn:#8a5a00}
@page{margin:18mm 16mm}
body{max-width:none;padding:0;font-size:10.5pt}
details::details-content{content-visibility:visible!important;display:block!important;block-size:auto!important}
.turn>summary::before{content:none}
.turn>.body{padding-left:0}
.contents{display:none}
*{max-height:none!important;overflow:visible!important}
pre,pre code{white-space:pre-wrap!important;overflow-wrap:anywhere!important}
h2,h3,.label,.turn>summary{break-after:avoid}
.grid tr,.facts{break-inside:avoid}
thead{display:table-header-group}
footer{break-inside:avoid}
}
"""

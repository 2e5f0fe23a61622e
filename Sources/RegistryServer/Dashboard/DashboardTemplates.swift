import Mustache

/// The dashboard's pages as Mustache templates: what stands in double braces is escaped for HTML.
enum DashboardTemplates {
    static let frame = template(
        """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        {{#refresh}}<meta http-equiv="refresh" content="{{refresh}}">
        {{/refresh}}<title>{{title}} - Ensemble Registry</title>
        <link rel="stylesheet" href="/dashboard/style.css">
        </head>
        <body>
        <header>
        <a class="home" href="/dashboard">Ensemble Registry</a>
        {{#identity}}<form method="post" action="/dashboard/logout"><span>{{identity}}</span>\
        <button>Sign out</button></form>
        {{/identity}}</header>
        <main>
        {{{content}}}
        </main>
        </body>
        </html>

        """)

    static let login = template(
        """
        <h1>Sign in</h1>
        <form class="login" method="post" action="/dashboard/login">
        <label for="token">Token with the scope read</label>
        <input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
        <button>Sign in</button>
        </form>
        {{#failure}}<p class="bad" role="alert">{{failure}}</p>
        {{/failure}}<p class="note"><code>registry tokens create NAME --scope read</code> makes one.</p>
        """)

    static let failure = template("<h1>{{title}}</h1>\n<p>{{detail}}</p>")

    static let overview = template(
        """
        <h1>Ensembles</h1>
        {{^ensembles}}<p>There is none yet: <code>registry ensembles create</code> makes one.</p>{{/ensembles}}
        {{#hasEnsembles}}<table>
        <thead><tr><th>ensemble</th><th class="n">manifest</th><th class="n">members</th><th class="n">nodes</th>\
        <th class="n">on the newest</th><th class="n">refuse it or fail</th><th class="n">stale</th>\
        <th class="n">silent</th>\
        <th class="n">gate tests left</th></tr></thead>
        <tbody>
        {{#ensembles}}<tr><td><a href="/dashboard/ensembles/{{name}}">{{name}}</a></td><td class="n">{{sequence}}</td>\
        <td class="n">{{members}}</td><td class="n">{{nodes}}</td><td class="n">{{current}}</td>\
        <td class="n{{#isRefused}} bad{{/isRefused}}">{{refused}}</td>\
        <td class="n{{#isStale}} warn{{/isStale}}">{{stale}}</td>\
        <td class="n{{#isSilent}} warn{{/isSilent}}">{{silent}}</td><td class="n">{{testsLeft}}</td></tr>
        {{/ensembles}}</tbody>
        </table>{{/hasEnsembles}}
        {{#more}}<p class="note">{{more}}</p>{{/more}}
        """)

    static let ensemble = template(
        """
        <h1>{{name}}</h1>
        <p>{{summary}}</p>
        {{#members}}<p class="members">{{members}}</p>
        {{/members}}{{#rollout}}<p class="{{kind}}" role="status">{{text}}</p>
        {{/rollout}}<h2>Nodes</h2>
        {{^hasNodes}}<p>None has reported yet: <code>registry-node run</code> starts one.</p>{{/hasNodes}}
        {{#hasNodes}}<table>
        <thead><tr><th>node</th><th class="n">runs</th><th class="n">wants</th><th>standing</th><th>state</th>\
        <th class="n">age</th><th class="n">requests</th><th class="n">p99 ms</th><th class="n">labels cached</th>\
        <th>version</th><th>last error</th></tr></thead>
        <tbody>
        {{#nodes}}<tr><td>{{node}}</td><td class="n">{{running}}</td><td class="n">{{wanted}}</td>\
        <td class="{{kind}}">{{standing}}</td><td>{{state}}</td>\
        <td class="n{{#isSilent}} warn{{/isSilent}}">{{age}}</td>\
        <td class="n">{{requests}}</td><td class="n">{{p99}}</td><td class="n">{{labelHits}}</td><td>{{version}}</td>\
        <td>{{error}}</td></tr>
        {{/nodes}}</tbody>
        </table>{{/hasNodes}}
        {{#more}}<p class="note">{{more}}</p>{{/more}}
        <h2>Promotions</h2>
        {{^hasPromotions}}<p>Not founded yet: <code>registry ensembles found {{name}}</code>.</p>{{/hasPromotions}}
        {{#hasPromotions}}<table>
        <thead><tr><th class="n">manifest</th><th>when (UTC)</th><th>kind</th><th>joined</th><th>retired</th>\
        <th>by</th><th>reason</th></tr></thead>
        <tbody>
        {{#promotions}}<tr><td class="n">{{sequence}}</td><td class="at">{{at}}</td><td>{{kind}}</td>\
        <td>{{joined}}</td><td>{{retired}}</td><td>{{actor}}</td><td>{{reason}}</td></tr>
        {{/promotions}}</tbody>
        </table>{{/hasPromotions}}
        {{#hasDecisions}}<h2>Decisions</h2>
        <table>
        <thead><tr><th class="n">decision</th><th>when (UTC)</th><th>model</th><th>verdict</th><th>reason</th></tr>\
        </thead>
        <tbody>
        {{#decisions}}<tr><td class="n">{{id}}</td><td class="at">{{at}}</td><td>{{model}}</td><td>{{verdict}}</td>\
        <td>{{reason}}</td></tr>
        {{/decisions}}</tbody>
        </table>{{/hasDecisions}}
        """)

    static let style = """
        :root { color-scheme: light dark; --line: light-dark(#d5d9de, #3a4048); --soft: light-dark(#57606a, #9aa4af);
          --bad: light-dark(#b42318, #ff8a7a); --warn: light-dark(#8a5a00, #f0b74a);
          --good: light-dark(#1a6e3c, #6fd79a); }
        * { box-sizing: border-box; }
        body { margin: 0; font: 15px/1.5 system-ui, sans-serif; background: light-dark(#fff, #16191d);
          color: light-dark(#1c2126, #e4e7ea); }
        header { display: flex; align-items: center; padding: .6rem 1.5rem; border-bottom: 1px solid var(--line); }
        header form { margin-left: auto; display: flex; gap: .8rem; align-items: center; color: var(--soft); }
        main { padding: .5rem 1.5rem 3rem; max-width: 110rem; overflow-x: auto; }
        a { color: light-dark(#0b57a4, #7fb8ff); text-decoration: none; }
        a:hover { text-decoration: underline; }
        .home { font-weight: 600; color: inherit; }
        h1 { font-size: 1.5rem; margin: 1rem 0 .3rem; }
        h2 { font-size: 1.1rem; margin: 2rem 0 .4rem; }
        p { margin: .3rem 0 .6rem; }
        table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
        th, td { text-align: left; vertical-align: top; padding: .3rem 1.6rem .3rem 0;
          border-bottom: 1px solid var(--line); }
        th { font-weight: 600; color: var(--soft); white-space: nowrap; }
        td { overflow-wrap: break-word; }
        .n, .at { white-space: nowrap; }
        .n { text-align: right; }
        .note, .members { color: var(--soft); }
        .bad { color: var(--bad); font-weight: 600; }
        .warn { color: var(--warn); }
        .good { color: var(--good); }
        code { font: .92em ui-monospace, monospace; }
        input, button { font: inherit; padding: .3rem .6rem; border: 1px solid var(--line); border-radius: 4px;
          background: transparent; color: inherit; }
        button { cursor: pointer; }
        .login { display: grid; gap: .5rem; max-width: 26rem; margin: 1rem 0; }

        """

    /// Escapes byte by byte: by characters, as the library does, a `<` that joins the scalar before it goes through.
    private struct Escaped: MustacheContentType {
        static let name: String = {
            MustacheContentTypes.register(Escaped(), named: "ESCAPED")
            return "ESCAPED"
        }()

        func escapeText(_ text: String) -> String {
            var bytes: [UInt8] = []
            for byte in text.utf8 {
                switch byte {
                case UInt8(ascii: "<"): bytes += "&lt;".utf8
                case UInt8(ascii: ">"): bytes += "&gt;".utf8
                case UInt8(ascii: "&"): bytes += "&amp;".utf8
                case UInt8(ascii: "\""): bytes += "&quot;".utf8
                case UInt8(ascii: "'"): bytes += "&#39;".utf8
                default: bytes.append(byte)
                }
            }
            return String(decoding: bytes, as: UTF8.self)
        }
    }

    private static func template(_ text: StaticString) -> MustacheTemplate {
        guard let template = try? MustacheTemplate(string: "{{% CONTENT_TYPE:\(Escaped.name)}}\(text)") else {
            preconditionFailure("a template of the dashboard cannot be read")
        }
        return template
    }
}

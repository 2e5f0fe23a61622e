import EnsembleModel
import Foundation
import HTTPTypes
import HummingbirdTesting
import NIOCore
import RegistryAPI
import RegistryStore
import RegistryTesting
import Testing

@testable import RegistryServer

/// The pages that people look at.
@Suite struct DashboardTests {
    private static func page(
        _ registry: RegistryHarness, _ path: String, cookie: String? = nil
    ) async throws -> TestResponse {
        var headers = HTTPFields()
        headers[.cookie] = cookie.map { "theme=dark; \($0)" }
        return try await registry.client.execute(uri: path, method: .get, headers: headers, body: nil)
    }

    private static func signIn(
        _ registry: RegistryHarness, _ token: String, headers: HTTPFields = [:]
    ) async throws -> TestResponse {
        try await registry.client.execute(
            uri: "/dashboard/login", method: .post, headers: headers, body: ByteBuffer(string: "token=\(token)&x=1"))
    }

    /// The cookie of somebody who may read.
    private static func cookie(_ registry: RegistryHarness) async throws -> String {
        let answer = try await signIn(registry, registry.token("ann", [.read]))
        #expect(answer.status == .seeOther && answer.headers[.location] == "/dashboard")
        return String(try #require(answer.headers[.setCookie]?.split(separator: ";").first))
    }

    @Test func onlyWhoSignsInSeesAnything() async throws {
        try await RegistryHarness.with { registry in
            for path in ["/dashboard", "/dashboard/ensembles/pets"] {
                for cookie in [nil, "registry_token=", "registry_token=er_wrong"] {
                    let answer = try await Self.page(registry, path, cookie: cookie)
                    #expect(answer.status == .seeOther && answer.headers[.location] == "/dashboard/login")
                }
            }
            #expect(try await Self.page(registry, "/").headers[.location] == "/dashboard")
            #expect(try await Self.page(registry, "/dashboard/login").status == .ok)
            let submitter = try await registry.token("sam", [.submit])
            for token in ["", "er_wrong", submitter, "%00", "<script>"] {
                let refused = try await Self.signIn(registry, token)
                #expect(refused.status == .forbidden && refused.headers[.setCookie] == nil)
                #expect(String(buffer: refused.body).contains("This is no token"))
            }
            let reader = try await registry.token("ann", [.read])
            let cookie = try #require(try await Self.signIn(registry, reader).headers[.setCookie])
            #expect(cookie == "registry_token=\(reader); Path=/dashboard; Max-Age=43200; HttpOnly; SameSite=Strict")
            let proxied = try #require(HTTPField.Name("X-Forwarded-Proto"))
            let secure = try await Self.signIn(registry, reader, headers: [proxied: "https"])
            #expect(secure.headers[.setCookie]?.hasSuffix("; Secure") == true)
            let out = try await registry.client.execute(
                uri: "/dashboard/logout", method: .post, headers: [:], body: nil)
            #expect(out.headers[.setCookie]?.hasPrefix("registry_token=; Path=/dashboard; Max-Age=0;") == true)
        }
    }

    @Test func nodesThatNeedSomebodyComeFirst() async throws {
        try await MetadataTests.with { registry, _ in
            let newest = try #require(try await registry.store.manifest(ensemble: "pets"))
            func report(_ change: (inout NodeReport) -> Void) -> NodeReport {
                var report = NodeReport(
                    ensemble: "pets", program: "1.0", state: .serving,
                    running: .init(generation: 1, sequence: 1, sha256: newest.sha256), attempted: newest.sha256,
                    figures: ["requests": 120, "latency_p99_ms": 3.14, "label_cache_hit_ratio": 0.5])
                change(&report)
                return report
            }
            let now = Date()
            try await registry.store.report(
                [
                    .init(node: "a-fine", report: report { _ in }),
                    .init(
                        node: "b-refuses",
                        report: report {
                            $0.running?.sha256 = .of([])
                            $0.refusal = .init(stage: .load, code: "bad", message: "<b>rows & columns\u{600}</b>")
                        }),
                    .init(node: "c-stale", report: report { $0.state = .stale }),
                ], now: now)
            try await registry.store.report(
                [.init(node: "d-gone", report: report { _ in })], now: now.addingTimeInterval(-4000))
            let cookie = try await Self.cookie(registry)

            let answer = try await Self.page(registry, "/dashboard/ensembles/pets", cookie: cookie)
            let text = String(buffer: answer.body)
            #expect(answer.status == .ok)
            #expect(answer.headers[.contentType] == "text/html; charset=utf-8")
            #expect(answer.headers[.contentSecurityPolicy]?.hasPrefix("default-src 'none'") == true)
            #expect(answer.headers[.cacheControl] == "no-store")
            let order = text.matches(of: /<td>([a-d]-[a-z]+)<\/td>/).map { String($0.1) }
            #expect(order == ["b-refuses", "c-stale", "d-gone", "a-fine"])
            #expect(text.contains(#"<td class="bad">refused</td>"#) && text.contains(#"<td class="good">current</td>"#))
            // A < that is one character with the scalar before it is a < all the same.
            #expect(text.contains("load: bad: &lt;b&gt;rows &amp; columns\u{600}&lt;/b&gt;"))
            #expect(text.contains(#"<td class="n warn">1 h</td>"#))
            #expect(text.contains(#"<td class="n">120</td><td class="n">3.1</td><td class="n">50 %</td>"#))
            #expect(text.contains("Manifest 1, 1 members. 1 candidates, epoch 1 of 400 rows"))
            #expect(text.contains("<td>founding</td><td>weak@1</td>"))
            #expect(text.contains("<span>ann</span>"))

            let overview = String(buffer: try await Self.page(registry, "/dashboard", cookie: cookie).body)
            #expect(overview.contains(#"<a href="/dashboard/ensembles/pets">pets</a>"#))
            let row = #"<td class="n">4</td><td class="n">3</td><td class="n bad">1</td><td class="n warn">1</td>"#
            #expect(overview.contains(row + #"<td class="n warn">1</td>"#), "\(overview)")
        }
    }

    /// Anybody with a node's token may say anything.
    @Test(arguments: [1e300, -1e300, 0.5]) func strangeFiguresBreakNoPage(figure: Double) async throws {
        try await MetadataTests.with { registry, _ in
            let report = NodeReport(
                ensemble: "pets", program: "1.0", state: .empty, running: nil,
                figures: ["requests": figure, "latency_p99_ms": figure, "label_cache_hit_ratio": figure])
            try await registry.store.report([.init(node: "strange", report: report)], now: Date())
            let cookie = try await Self.cookie(registry)
            let page = try await Self.page(registry, "/dashboard/ensembles/pets", cookie: cookie)
            #expect(page.status == .ok && String(buffer: page.body).contains("<td>strange</td>"))
        }
    }

    @Test func whatIsMissingIsSaidOnAPage() async throws {
        try await RegistryHarness.with { registry in
            let cookie = try await Self.cookie(registry)
            let missing = try await Self.page(registry, "/dashboard/ensembles/cars", cookie: cookie)
            #expect(missing.status == .notFound)
            #expect(String(buffer: missing.body).contains("there is no ensemble &#39;cars&#39;"))
            #expect(
                String(buffer: try await Self.page(registry, "/dashboard", cookie: cookie).body)
                    .contains("There is none yet"))
            _ = try await registry.create("pets", SimulatedTask(rowCount: 200))
            let empty = String(
                buffer: try await Self.page(registry, "/dashboard/ensembles/pets", cookie: cookie).body)
            #expect(empty.contains("None has reported yet") && empty.contains("Not founded yet"))
        }
    }

    @Test func aFaultOfTheDaemonIsAPageToo() async throws {
        try await RegistryHarness.with { registry in
            let cookie = try await Self.cookie(registry)
            _ = try await Psql.run("DROP TABLE node_report", on: registry.database)
            let page = try await Self.page(registry, "/dashboard", cookie: cookie)
            #expect(page.status.code >= 500)
            #expect(page.headers[.contentType] == "text/html; charset=utf-8")
            #expect(page.headers[.contentSecurityPolicy] != nil)
            #expect(!String(buffer: page.body).contains("node_report"))
        }
    }
}

import EnsembleModel
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import Mustache
import NIOCore
import RegistryAPI

/// Who looks at the dashboard: signed in with a token, which the browser keeps in a cookie that no script sees and that
/// is not sent from other sites. Errors are pages too.
struct DashboardSession: RouterMiddleware {
    static let root = "/dashboard"
    private static let cookie = "registry_token"

    let tokens: KnownTokens
    let limits: DaemonLimits

    /// What is there for everybody.
    func add(to router: Router<RegistryRequestContext>) {
        router.get("/") { _, _ in Response(status: .seeOther, headers: [.location: Self.root]) }
        router.get("dashboard/style.css") { _, _ in
            Response.text(
                DashboardTemplates.style, type: "text/css; charset=utf-8", fields: [.cacheControl: "max-age=3600"])
        }
        router.get("dashboard/login") { _, _ in Self.form() }
        router.post("dashboard/login", use: signIn)
        router.post("dashboard/logout") { request, _ in Self.answer(to: request, token: "", seconds: 0, at: "login") }
    }

    func handle(
        _ request: Request, context: RegistryRequestContext,
        next: (Request, RegistryRequestContext) async throws -> Response
    ) async throws -> Response {
        var context = context
        do {
            if let secret = Self.secret(request) { context.identity = try await tokens.token(secret: secret) }
            guard let identity = context.identity else {
                return Response(status: .seeOther, headers: [.location: "\(Self.root)/login"])
            }
            context.logger[metadataKey: "identity"] = .string(identity.name)
            return try await next(request, context)
        } catch {
            let problem = Problem(describing: error)
            if problem.status >= 500 {
                context.logger.error(
                    "Request failed", metadata: ["path": "\(request.uri.path)", "error": "\(error)"])
            }
            // What may be over soon is looked for again.
            return .page(
                problem.title, DashboardTemplates.failure.render(problem), identity: context.identity,
                status: HTTPResponse.Status(code: problem.status),
                refresh: problem.status == 503 ? limits.dashboardRefreshSeconds : nil)
        }
    }

    // MARK: Signing in

    @Sendable private func signIn(_ request: Request, _ context: RegistryRequestContext) async throws -> Response {
        struct Form: Decodable { var token: String }
        let body = String(buffer: try await request.body.collect(upTo: limits.jsonBytes))
        guard let form = try? URLEncodedFormDecoder().decode(Form.self, from: body),
            let identity = try await tokens.token(secret: form.token), identity.hasAny(of: [.read])
        else { return Self.form(failure: "This is no token with the scope read, or it was revoked.") }
        return Self.answer(to: request, token: form.token, seconds: limits.dashboardSessionSeconds, at: "")
    }

    private static func form(failure: String? = nil) -> Response {
        .page(
            "Sign in", DashboardTemplates.login.render(DashboardPage.Login(failure: failure)),
            status: failure == nil ? .ok : .forbidden)
    }

    /// Sets the cookie and leads on.
    private static func answer(to request: Request, token: String, seconds: Int, at page: String) -> Response {
        // Behind a proxy that speaks TLS it never travels without.
        let isSecure = HTTPField.Name("X-Forwarded-Proto").flatMap { request.headers[$0] } == "https"
        return Response(
            status: .seeOther,
            headers: [
                .location: page.isEmpty ? root : "\(root)/\(page)",
                .setCookie: "\(cookie)=\(token); Path=\(root); Max-Age=\(seconds); HttpOnly; SameSite=Strict"
                    + (isSecure ? "; Secure" : ""),
            ])
    }

    private static func secret(_ request: Request) -> String? {
        let pairs = (request.headers[.cookie] ?? "").split(separator: ";")
            .map { $0.trimmingCharacters(in: .whitespaces) }
        return pairs.first { $0.hasPrefix("\(cookie)=") }.map { String($0.dropFirst(cookie.count + 1)) }
    }
}

extension Response {
    /// A page of the dashboard.
    ///
    /// - Parameter refresh: seconds after which the browser loads it again; nil for never.
    static func page(
        _ title: String, _ content: String, identity: TokenRecord? = nil, status: HTTPResponse.Status = .ok,
        refresh: Int? = nil
    ) -> Response {
        let frame = DashboardPage.Frame(title: title, refresh: refresh, identity: identity?.name, content: content)
        var fields: HTTPFields = [
            .contentSecurityPolicy: "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; "
                + "frame-ancestors 'none'",
            .cacheControl: "no-store", .xContentTypeOptions: "nosniff",
        ]
        if let name = HTTPField.Name("Referrer-Policy") { fields[name] = "same-origin" }
        return .text(
            DashboardTemplates.frame.render(frame), type: "text/html; charset=utf-8", status: status, fields: fields)
    }

    fileprivate static func text(
        _ text: String, type: String, status: HTTPResponse.Status = .ok, fields: HTTPFields
    ) -> Response {
        var fields = fields
        fields[.contentType] = type
        return Response(status: status, headers: fields, body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}

import EnsembleModel
import Foundation
import Hummingbird
import NIOFoundationCompat
import RegistryAPI
import RegistryStore

/// What people say of decisions that wait for their approval.
struct ApprovalRoutes {
    let store: RegistryStore
    let limits: DaemonLimits

    func add(to router: RouterGroup<RegistryRequestContext>) {
        router.post("decisions/:id/approve", use: approve)
        router.post("decisions/:id/reject", use: reject)
    }

    @Sendable private func approve(_ request: Request, _ context: RegistryRequestContext) async throws -> Response {
        let identity = try context.require(.admin)
        let reason = try await reason(request)
        return try .json(
            await store.approve(
                decision: context.identifier("id"), reviewer: identity.name, reason: reason, now: Date()))
    }

    @Sendable private func reject(_ request: Request, _ context: RegistryRequestContext) async throws -> Response {
        let identity = try context.require(.admin)
        let reason = try await reason(request)
        return try .json(
            await store.reject(
                decision: context.identifier("id"), reviewer: identity.name, reason: reason, now: Date()))
    }

    /// The reason in a body, which may be left out.
    private func reason(_ request: Request) async throws -> String {
        let body = try await Data(buffer: request.body.collect(upTo: limits.jsonBytes))
        guard !body.isEmpty else { return "" }
        do {
            let reason = try APIJSON.decoder().decode(ReviewRequest.self, from: body).reason ?? ""
            guard reason.unicodeScalars.count <= limits.reasonLength else {
                throw Problem(.badRequest, detail: "a reason has at most \(limits.reasonLength) characters")
            }
            return reason
        } catch let error as DecodingError {
            throw Problem(.badRequest, detail: "the body is not a review: \(DecodingProblem.describe(error))")
        }
    }
}

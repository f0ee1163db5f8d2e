// What went wrong, in the one shape that every screen shows. Knows no request and no screen.

export interface FieldProblem {
  path: string;
  message: string;
}

export interface Problem {
  message: string;
  code: string;
  retryable: boolean;
  retryAfter?: number | null;
  requestId?: string | null;
  fields?: FieldProblem[] | null;
}

/** A request that was answered with an error, or with nothing at all (status 0). */
export class ApiError extends Error {
  readonly status: number;
  readonly problem: Problem;

  constructor(status: number, problem: Problem) {
    super(problem.message);
    this.name = "ApiError";
    this.status = status;
    this.problem = problem;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function fieldProblems(value: unknown): FieldProblem[] | null {
  if (!Array.isArray(value)) return null;
  const fields = value.filter(isObject).map((field) => ({ path: String(field.path ?? ""), message: String(field.message ?? "") }));
  return fields.length > 0 ? fields : null;
}

/** The problem in an error reply; any body will do, since proxies answer with pages of their own. */
export function problemIn(status: number, body: unknown): Problem {
  const told = isObject(body) ? body : {};
  return {
    message: typeof told.message === "string" && told.message ? told.message : `The server answered with status ${status}.`,
    code: typeof told.code === "string" ? told.code : `http_${status}`,
    retryable: typeof told.retryable === "boolean" ? told.retryable : status >= 500,
    retryAfter: typeof told.retryAfter === "number" ? told.retryAfter : null,
    requestId: typeof told.requestId === "string" ? told.requestId : null,
    fields: fieldProblems(told.fields),
  };
}

export const UNREACHABLE: Problem = {
  message: "The server does not answer. Your text is kept.",
  code: "unreachable",
  retryable: true,
};

/** Whatever was thrown, as a problem. */
export function problemOf(error: unknown): Problem {
  if (error instanceof ApiError) return error.problem;
  return { message: error instanceof Error ? error.message : String(error), code: "unexpected", retryable: true };
}

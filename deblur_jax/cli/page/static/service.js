// Requests to the server; errors have its message.

export async function ask(address, options) {
  let response;
  try {
    response = await fetch(address, options);
  } catch {
    throw new Error("deblur-page does not answer; is it still running?");
  }
  const answer = await response.json();
  if (!response.ok) throw Object.assign(new Error(answer.message), { status: response.status });
  return answer;
}

export const limits = () => ask("limits");
export const upload = (file) => ask(`photos?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file });
export const status = (key) => ask(`photos/${key}`);
export const remove = (key) => ask(`photos/${key}`, { method: "DELETE" });
export const restore = (key, model) => ask(`photos/${key}/restore?model=${encodeURIComponent(model)}`, { method: "POST" });
export const tryPart = (key, model, [across, down]) =>
  ask(`photos/${key}/part?across=${across}&down=${down}&model=${encodeURIComponent(model)}`, { method: "POST" });

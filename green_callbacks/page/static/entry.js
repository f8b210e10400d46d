// TensorBoard calls this in an empty frame, which goes on to the page.
export const render = () => location.replace(`page.html${location.search}`);
